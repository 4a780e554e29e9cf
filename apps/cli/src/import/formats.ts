// The forms that are read: how each is recognised, what it can teach, and its reader.
import { open } from 'node:fs/promises';
import { MODEL_TYPES, type ModelType } from '@jarvis/contracts';
import { CommandError } from '../exit.ts';
import { readCsv } from './csv.ts';
import type { Found, Mapping } from './found.ts';
import { type Languages, readHomeAssistant } from './home-assistant.ts';
import { isObject } from './json-records.ts';
import { readJsonl } from './jsonl.ts';
import { readOpenAiChat } from './openai-chat.ts';
import { readRasaNlu } from './rasa-nlu.ts';
import type { InputFile, Reading } from './text.ts';

type Reader = (
  file: InputFile,
  mapping: Mapping & { readonly languages: Languages },
  reading: Reading,
) => AsyncGenerator<Found>;

interface Form {
  readonly read: Reader;
  readonly teaches: readonly ModelType[];
}

export const FORMATS = ['openai-chat', 'rasa-nlu', 'home-assistant', 'csv', 'jsonl'] as const;
export type Format = (typeof FORMATS)[number];

export const FORMS: Readonly<Record<Format, Form>> = {
  'openai-chat': { read: readOpenAiChat, teaches: ['nlu', 'embedding'] },
  'rasa-nlu': { read: readRasaNlu, teaches: ['nlu'] },
  'home-assistant': { read: readHomeAssistant, teaches: ['nlu'] },
  csv: { read: readCsv, teaches: ['nlu', 'embedding'] },
  jsonl: { read: readJsonl, teaches: ['nlu', 'embedding', 'voice', 'vision'] },
};

/** Throws CommandError, which says what there is instead. */
export function refuseUnteachable(format: Format, modelType: ModelType | null): void {
  const { teaches } = FORMS[format];
  if (modelType === null || teaches.includes(modelType)) return;
  const noExperience = MODEL_TYPES.filter((type) => !FORMS.jsonl.teaches.includes(type));
  throw new CommandError(
    noExperience.includes(modelType)
      ? `JARVIS Core takes no experiences for ${modelType}: --model-type is one of ${teaches.join(', ')} here.`
      : `${format} holds nothing that ${modelType} learns from: --model-type is one of ${teaches.join(', ')} here.`,
  );
}

/** Enough to know a file by. */
const HEAD_BYTES = 64 * 1024;

const SIGNATURES: readonly { readonly bytes: readonly number[]; readonly told: string }[] = [
  { bytes: [0x1f, 0x8b], told: 'compressed; `gunzip` it first' },
  { bytes: [0x50, 0x4b, 0x03, 0x04], told: 'a zip file; `unzip` it first' },
  { bytes: [0xff, 0xfe], told: 'UTF-16; `iconv -f UTF-16 -t UTF-8` makes it UTF-8' },
  { bytes: [0xfe, 0xff], told: 'UTF-16; `iconv -f UTF-16 -t UTF-8` makes it UTF-8' },
];

/** Throws CommandError at a file that no format can be read from, or whose format is not plain. */
export async function formatOf(file: InputFile, asked: Format | null): Promise<Format> {
  const head = await headOf(file);
  const signature = SIGNATURES.find(({ bytes }) => bytes.every((byte, i) => head[i] === byte));
  if (signature !== undefined) throw new CommandError(`${file.name} is ${signature.told}.`);
  const format = asked ?? detect(file.name, head.toString('utf8').replace(/^\uFEFF/, ''));
  if (format !== null) return format;
  throw new CommandError(
    `What form ${file.name} has cannot be told from its name and content: say it with --format ${FORMATS.join(' | ')}.`,
  );
}

async function headOf(file: InputFile): Promise<Buffer> {
  const handle = await open(file.path);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

export function detect(name: string, head: string): Format | null {
  if (/\.ya?ml$/i.test(name)) return yamlFormat(head);
  if (/\.(csv|tsv)$/i.test(name)) return 'csv';
  if (/^\s*[[{]/.test(head)) return jsonFormat(head);
  return yamlFormat(head);
}

function yamlFormat(head: string): Format | null {
  if (/^["']?nlu["']?\s*:/m.test(head)) return 'rasa-nlu';
  const sentences = /^["']?(intents|lists|expansion_rules)["']?\s*:/m.test(head);
  return sentences && /^["']?language["']?\s*:/m.test(head) ? 'home-assistant' : null;
}

function jsonFormat(head: string): Format | null {
  const first = firstRecord(head);
  if (first === null) return /"messages"\s*:/.test(head) ? 'openai-chat' : 'jsonl';
  return 'messages' in first ? 'openai-chat' : 'jsonl';
}

/** null: the first line is not one by itself. */
function firstRecord(head: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(head.trimStart().split('\n', 1)[0] ?? '');
    const first: unknown = Array.isArray(value) ? value[0] : value;
    return isObject(first) ? first : null;
  } catch {
    return null;
  }
}
