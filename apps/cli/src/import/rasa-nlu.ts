// `rasa-nlu`: training data of Rasa, `nlu: - intent: name, examples: |`. Entities are reduced to their text.
import { BrokenFile, type Found, type Mapping, notMapped, type Place } from './found.ts';
import { isObject } from './json-records.ts';
import { command } from './rows.ts';
import type { InputFile, Reading } from './text.ts';
import { readYaml, type YamlFile, type YamlPath } from './yaml-file.ts';

const FORMAT = 'rasa-nlu';
/** Beside `nlu`, what every file has. */
const NOT_DATA = ['version', 'nlu'];
/** `[value](entity)`, `[value]{"entity": "…"}`, `[value][{"entity": "…"}, …]`. */
const ENTITY = /\[([^[\]]+)\](?:\([^()]*\)|\{[^{}]*\}|\[\{[^[\]]*\}\])/g;
const EXAMPLE = /^\s*-\s+(\S.*)$/;

export async function* readRasaNlu(file: InputFile, _: Mapping, reading: Reading): AsyncGenerator<Found> {
  const yaml = await readYaml(file, reading);
  if (!isObject(yaml.value)) throw new BrokenFile('unknown_shape', 1, 'it is no map with nlu');
  for (const key of Object.keys(yaml.value))
    if (!NOT_DATA.includes(key)) yield notMapped('part_not_learned', placeOf(yaml, [key]), key);
  const items = yaml.value['nlu'];
  if (!Array.isArray(items)) return;
  for (const [i, item] of items.entries()) yield* foundIn(yaml, item, i);
}

function* foundIn(yaml: YamlFile, item: unknown, i: number): Generator<Found> {
  const path = ['nlu', i];
  const place = placeOf(yaml, path);
  const intent = isObject(item) ? item['intent'] : undefined;
  if (!isObject(item) || typeof intent !== 'string' || intent === '') {
    // synonym, regex, lookup
    const what = isObject(item) ? Object.entries(item).find(([key]) => key !== 'examples') : undefined;
    yield what === undefined
      ? notMapped('unknown_shape', place, 'it is no intent with examples')
      : notMapped('part_not_learned', place, `${what[0]} ${String(what[1])}`);
    return;
  }
  for (const { text, line } of examplesOf(yaml, item['examples'], [...path, 'examples'])) {
    const at = { line, at: null };
    if (text === null) yield notMapped('unknown_shape', at, 'an example begins with "- "');
    else yield command({ text: withoutEntities(text), intent, metadata: { imported_from: FORMAT } }, at);
  }
}

interface Example {
  /** null: it is none. */
  readonly text: string | null;
  readonly line: number | null;
}

/** A block of lines that begin with `- `, or a list of {text}. */
function examplesOf(yaml: YamlFile, examples: unknown, path: YamlPath): Example[] {
  if (Array.isArray(examples))
    return examples.map((example: unknown, i) => {
      const text = isObject(example) ? example['text'] : null;
      return {
        text: typeof text === 'string' ? text.trim().replace(EXAMPLE, '$1') : null,
        line: yaml.lineAt([...path, i]),
      };
    });
  if (typeof examples !== 'string') return [{ text: null, line: yaml.lineAt(path) }];
  const first = yaml.lineAt(path);
  return examples.split('\n').flatMap((line, i) =>
    line.trim() === ''
      ? []
      : // The block begins on the line after its `|`.
        [{ text: EXAMPLE.exec(line)?.[1] ?? null, line: first === null ? null : first + 1 + i }],
  );
}

export function withoutEntities(example: string): string {
  return example.replaceAll(ENTITY, '$1');
}

function placeOf(yaml: YamlFile, path: YamlPath): Place {
  return { line: yaml.lineAt(path), at: null };
}
