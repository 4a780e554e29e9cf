// Files as text, in pieces: UTF-8 without NUL, in lines of a limited length, or whole up to a limit.
import { isUtf8 } from 'node:buffer';
import { createReadStream } from 'node:fs';
import { BrokenFile } from './found.ts';

export const LINE_CHARS_MAX = 16 * 1024 * 1024;

export interface InputFile {
  /** As the user gave it. */
  readonly name: string;
  readonly path: string;
  readonly bytes: number;
}

/** How much of all files has been read, for whoever shows it. */
export interface Reading {
  bytes: number;
}

export interface TextLine {
  readonly line: number;
  readonly text: string;
}

/** Throws BrokenFile at the first line that is not text, when all before it were given. */
export async function* readText(file: InputFile, reading: Reading): AsyncGenerator<string> {
  let line = 1;
  let first = true;
  // Of a character whose other bytes are still to come.
  let begun = Buffer.alloc(0);
  for await (const bytes of readBytes(file, () => line)) {
    const whole = Buffer.concat([begun, bytes]);
    const cut = whole.length - begunAtEnd(whole);
    begun = whole.subarray(cut);
    const piece = whole.subarray(0, cut);
    const fault = faultIn(piece);
    const good = fault === null ? piece : piece.subarray(0, fault.from);
    const text = good.toString('utf8');
    yield first ? text.replace(/^\uFEFF/, '') : text;
    first = false;
    line += newlines(good);
    reading.bytes += bytes.length;
    if (fault !== null) throw new BrokenFile(fault.code, line);
  }
  if (begun.length > 0) throw new BrokenFile('not_utf8', line, 'the file ends within a character');
}

async function* readBytes(file: InputFile, line: () => number): AsyncGenerator<Buffer> {
  try {
    for await (const bytes of createReadStream(file.path)) yield bytes as Buffer;
  } catch (error) {
    throw new BrokenFile('not_readable', line(), (error as Error).message);
  }
}

/** How many bytes at the end are the begin of a character. */
function begunAtEnd(bytes: Buffer): number {
  for (let back = 1; back <= 3; back += 1) {
    const byte = bytes.at(-back) ?? 0;
    if ((byte & 0xc0) === 0x80) continue; // one that goes on
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return length > back && bytes.length >= back ? back : 0;
  }
  return 0;
}

/** The first line that is not text, and where it begins. */
function faultIn(bytes: Buffer): { readonly from: number; readonly code: 'has_nul' | 'not_utf8' } | null {
  if (!bytes.includes(0) && isUtf8(bytes)) return null;
  for (let from = 0; from < bytes.length;) {
    const newline = bytes.indexOf(10, from);
    const to = newline < 0 ? bytes.length : newline + 1;
    const line = bytes.subarray(from, to);
    if (line.includes(0)) return { from, code: 'has_nul' };
    if (!isUtf8(line)) return { from, code: 'not_utf8' };
    from = to;
  }
  return null;
}

function newlines(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) count += 1;
  return count;
}

/** The lines that are not blank. Throws BrokenFile at one that is too long to be held. */
export async function* readLines(file: InputFile, reading: Reading): AsyncGenerator<TextLine> {
  let line = 1;
  let pending = '';
  for await (const piece of readText(file, reading)) {
    const ended = piece.split('\n');
    ended[0] = pending + (ended[0] ?? '');
    pending = ended.pop() ?? '';
    for (const text of ended) {
      if (text.trim() !== '') yield { line, text };
      line += 1;
    }
    if (pending.length > LINE_CHARS_MAX)
      throw new BrokenFile('line_too_long', line, `${LINE_CHARS_MAX} characters at most`);
  }
  if (pending.trim() !== '') yield { line, text: pending };
}

/** Throws BrokenFile when the file has more than `bytesMax`. */
export async function readWhole(file: InputFile, reading: Reading, bytesMax: number): Promise<string> {
  const pieces: string[] = [];
  const from = reading.bytes;
  if (file.bytes > bytesMax) throw new BrokenFile('file_too_large', null, `${bytesMax} bytes at most`);
  for await (const piece of readText(file, reading)) {
    // A file may grow while it is read.
    if (reading.bytes - from > bytesMax)
      throw new BrokenFile('file_too_large', null, `${bytesMax} bytes at most`);
    pieces.push(piece);
  }
  return pieces.join('');
}
