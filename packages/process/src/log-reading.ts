// Reads logs from their end: the last lines at once, or the new ones as they come.
import { open, type FileHandle } from 'node:fs/promises';
import { StringDecoder } from 'node:string_decoder';
import { systemTiming, type Timing } from './timing.ts';

/** Enough for any stack trace, little enough for an error message. */
const tailBytesMax = 64 * 1024;
/** A longer line is cut into pieces: a program that never ends its line must not fill our memory. */
const lineBytesMax = 64 * 1024;
const followPollIntervalMs = 100;

/** The last `count` lines, of at most the last 64 KiB after byte `fromByte`; empty when there is no file. */
export async function readLastLines(path: string, count: number, fromByte = 0): Promise<string[]> {
  const file = await openIfThere(path);
  if (file === null) return [];
  try {
    const { size } = await file.stat();
    const first = fromByte > size ? 0 : fromByte; // rotated meanwhile
    const start = Math.max(first, size - tailBytesMax);
    const chunk = Buffer.alloc(size - start);
    const { bytesRead } = await file.read(chunk, 0, chunk.length, start);
    const lines = chunk.toString('utf8', 0, bytesRead).split('\n');
    if (start > first && lines.length > 1) lines.shift(); // begins in the middle of a line
    if (lines.at(-1) === '') lines.pop();
    return count <= 0 ? [] : lines.slice(-count);
  } finally {
    await file.close();
  }
}

export interface FollowOptions {
  /** A number: that byte, where somebody else has read up to. */
  readonly from?: 'start' | 'end' | number;
  readonly signal: AbortSignal;
  readonly pollIntervalMs?: number;
  readonly timing?: Timing;
}

/** The lines of a file as they are appended, until the signal is aborted. Waits for a file that is not there yet and begins anew after a truncation. */
export async function* followFile(path: string, options: FollowOptions): AsyncGenerator<string, void, void> {
  const { signal, pollIntervalMs = followPollIntervalMs, timing = systemTiming } = options;
  const chunk = Buffer.allocUnsafe(lineBytesMax);
  let decoder = new StringDecoder('utf8');
  let rest = '';
  let at = firstByte(options.from ?? 'end');
  while (!signal.aborted) {
    const read = await readFrom(path, at, chunk);
    if (read.restarted) {
      decoder = new StringDecoder('utf8');
      rest = '';
    }
    at = read.next;
    if (read.bytes === 0) {
      await timing.sleep(pollIntervalMs, signal);
      continue;
    }
    const lines = (rest + decoder.write(chunk.subarray(0, read.bytes))).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length >= lineBytesMax) lines.push(rest);
    if (rest.length >= lineBytesMax) rest = '';
    yield* lines;
  }
}

function firstByte(from: NonNullable<FollowOptions['from']>): number | null {
  if (typeof from === 'number') return from;
  return from === 'start' ? 0 : null;
}

/** Reads on from `at` (null: only find the end). A file that is not there is empty; one that shrank begins anew. */
async function readFrom(
  path: string,
  at: number | null,
  chunk: Buffer,
): Promise<{ bytes: number; next: number; restarted: boolean }> {
  const file = await openIfThere(path);
  if (file === null) return { bytes: 0, next: 0, restarted: at !== 0 };
  try {
    const { size } = await file.stat();
    if (at === null) return { bytes: 0, next: size, restarted: false };
    const restarted = size < at;
    const start = restarted ? 0 : at;
    const { bytesRead } = await file.read(chunk, 0, chunk.length, start);
    return { bytes: bytesRead, next: start + bytesRead, restarted };
  } finally {
    await file.close();
  }
}

async function openIfThere(path: string): Promise<FileHandle | null> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
