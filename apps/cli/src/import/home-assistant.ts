// `home-assistant`: sentence files of Home Assistant's intents. Each template is written out into sentences of its intent;
// lists and expansion rules come from all files of the same language that are imported together.
import { BrokenFile, type Found, type Mapping, type NotMapped, notMapped } from './found.ts';
import { isObject } from './json-records.ts';
import { command } from './rows.ts';
import { parseTemplate, TemplateError } from './templates/template.ts';
import { FORMS_COUNT_MAX, type List, Vocabulary, type Words } from './templates/vocabulary.ts';
import { writeOut } from './templates/write-out.ts';
import type { InputFile, Reading } from './text.ts';
import { readYaml, type YamlPath } from './yaml-file.ts';

const FORMAT = 'home-assistant';
const KNOWN_KEYS = ['language', 'intents', 'lists', 'expansion_rules'];
const NO_WORDS: Words = { lists: new Map(), rules: new Map() };

/** By language. */
export type Languages = ReadonlyMap<string, Words>;

/** What is broken here is told when the file is read for its sentences. */
export async function readLanguages(files: readonly InputFile[]): Promise<Languages> {
  const languages = new Map<string, Words>();
  for (const file of files) {
    const yaml = await readYaml(file, { bytes: 0 }).catch((error: unknown) => {
      if (error instanceof BrokenFile) return null;
      throw error;
    });
    if (!isObject(yaml?.value)) continue;
    const language = String(yaml.value['language']);
    languages.set(language, withWordsOf(languages.get(language) ?? NO_WORDS, yaml.value));
  }
  return languages;
}

export async function* readHomeAssistant(
  file: InputFile,
  mapping: Mapping & { readonly languages: Languages },
  reading: Reading,
): AsyncGenerator<Found> {
  const yaml = await readYaml(file, reading);
  if (!isObject(yaml.value))
    throw new BrokenFile('unknown_shape', 1, 'it is no map with language and intents');
  const { value } = yaml;
  for (const key of Object.keys(value))
    if (!KNOWN_KEYS.includes(key))
      yield notMapped('part_not_learned', { line: yaml.lineAt([key]), at: null }, key);
  const words = mapping.languages.get(String(value['language'])) ?? withWordsOf(NO_WORDS, value);
  const shared = new Vocabulary(words);
  if (value['intents'] === undefined) return;
  for (const { intent, block, path } of blocksOf(value['intents'])) {
    const place = { line: yaml.lineAt(path), at: null };
    const sentences = isObject(block) ? block['sentences'] : null;
    if (!isObject(block) || !Array.isArray(sentences)) {
      yield notMapped('unknown_shape', place, `${intent} has no list of sentences here`);
      continue;
    }
    const own = 'lists' in block || 'expansion_rules' in block;
    const vocabulary = own ? new Vocabulary(withWordsOf(words, block)) : shared;
    for (const [i, sentence] of sentences.entries()) {
      const line = yaml.lineAt([...path, 'sentences', i]);
      yield* sentencesOf(sentence, { intent, line, vocabulary, formsMax: mapping.formsMax });
    }
  }
}

interface Block {
  readonly intent: string;
  readonly block: unknown;
  readonly path: YamlPath;
}

function* blocksOf(intents: unknown): Generator<Block> {
  if (!isObject(intents)) {
    yield { intent: 'intents', block: null, path: ['intents'] };
    return;
  }
  for (const [intent, body] of Object.entries(intents)) {
    const path = ['intents', intent];
    const data = isObject(body) ? body['data'] : null;
    if (Array.isArray(data))
      for (const [i, block] of data.entries()) yield { intent, block, path: [...path, 'data', i] };
    else yield { intent, block: null, path };
  }
}

interface Sentence {
  readonly intent: string;
  readonly line: number | null;
  readonly vocabulary: Vocabulary;
  readonly formsMax: number;
}

function* sentencesOf(sentence: unknown, { intent, line, vocabulary, formsMax }: Sentence): Generator<Found> {
  const place = { line, at: null };
  if (typeof sentence !== 'string') {
    yield notMapped('not_a_template', place, 'it is no text');
    return;
  }
  try {
    const { forms, missing } = vocabulary.link(parseTemplate(sentence));
    if (forms === null) {
      yield notMapped('needs_list', place, `${[...missing].join(', ')} in ${sentence}`);
      return;
    }
    const { texts, tooLong } = writeOut(forms, formsMax);
    for (const text of texts) yield command({ text, intent, metadata: { imported_from: FORMAT } }, place);
    yield* leftOut({ missing, tooLong, forms: forms.count, formsMax }, sentence, line);
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    yield notMapped('not_a_template', place, `${error.message}: ${sentence}`);
  }
}

interface LeftOut {
  readonly missing: ReadonlySet<string>;
  readonly tooLong: number;
  readonly forms: number;
  readonly formsMax: number;
}

function* leftOut(
  { missing, tooLong, forms, formsMax }: LeftOut,
  sentence: string,
  line: number | null,
): Generator<NotMapped> {
  const place = { line, at: null };
  if (missing.size > 0)
    yield notMapped('partly_needs_list', place, `${[...missing].join(', ')} in ${sentence}`);
  if (tooLong > 0) yield notMapped('too_large', place, `${tooLong} of its forms: ${sentence}`);
  const of = `${forms.toLocaleString('en-US')}${forms === FORMS_COUNT_MAX ? ' or more' : ''}`;
  if (forms > formsMax) yield notMapped('more_forms', place, `${formsMax} of ${of}: ${sentence}`);
}

/** The newer of two of a name. */
function withWordsOf(words: Words, value: Readonly<Record<string, unknown>>): Words {
  const lists = new Map(words.lists);
  const rules = new Map(words.rules);
  for (const [name, list] of entriesOf(value['lists'])) lists.set(name, listOf(list));
  for (const [name, rule] of entriesOf(value['expansion_rules']))
    if (typeof rule === 'string') rules.set(name, rule);
  return { lists, rules };
}

function entriesOf(value: unknown): [string, unknown][] {
  return isObject(value) ? Object.entries(value) : [];
}

function listOf(list: unknown): List {
  const { values, range } = isObject(list) ? list : {};
  if (isObject(range)) {
    const [from, to, step] = [range['from'], range['to'], range['step'] ?? '1'].map(Number);
    return { kind: 'range', from: from ?? NaN, to: to ?? NaN, step: step ?? NaN };
  }
  if (!Array.isArray(values)) return { kind: 'open' };
  const templates = values.map((value: unknown) => (isObject(value) ? value['in'] : value));
  return templates.every((t) => typeof t === 'string') ? { kind: 'values', templates } : { kind: 'open' };
}
