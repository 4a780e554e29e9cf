// The records of a JSON file: one on each line, or the elements of one array.
import { BrokenFile, notMapped, type NotMapped, type Place } from './found.ts';
import { type InputFile, readLines, type Reading, readText, readWhole } from './text.ts';

/** An array is read whole; JSON lines are not, and may be as long as they like. */
export const ARRAY_BYTES_MAX = 64 * 1024 * 1024;

export interface JsonRecord {
  readonly place: Place;
  readonly value: Readonly<Record<string, unknown>>;
}

export async function* readJsonRecords(
  file: InputFile,
  reading: Reading,
): AsyncGenerator<JsonRecord | NotMapped> {
  if (await isOneValue(file)) yield* readArray(file, reading);
  else
    for await (const { line, text } of readLines(file, reading))
      yield recordOf(parsed(text), { line, at: null });
}

/** An array, or one object over several lines, as exports have it. */
async function isOneValue(file: InputFile): Promise<boolean> {
  let start = '';
  for await (const piece of readText(file, { bytes: 0 })) {
    start = (start + piece).trimStart();
    if (start !== '') break;
  }
  const firstLine = start.split('\n', 1)[0] ?? '';
  if (start.startsWith('[')) return true;
  return /\.json$/i.test(file.name) && firstLine.length < start.length && parsed(firstLine) instanceof Error;
}

async function* readArray(file: InputFile, reading: Reading): AsyncGenerator<JsonRecord | NotMapped> {
  const value = parsed(await readWhole(file, reading, ARRAY_BYTES_MAX));
  if (value instanceof Error) throw new BrokenFile('not_json', null, value.message);
  const records: unknown[] = Array.isArray(value) ? value : [value];
  for (const [i, record] of records.entries()) yield recordOf(record, { line: null, at: `[${i}]` });
}

function recordOf(value: unknown, place: Place): JsonRecord | NotMapped {
  if (value instanceof Error) return notMapped('not_json', place, value.message);
  if (!isObject(value)) return notMapped('unknown_shape', place, 'it is no JSON object');
  return { place, value };
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const MESSAGE_CHARS_MAX = 200;

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    return new Error((error as Error).message.slice(0, MESSAGE_CHARS_MAX));
  }
}
