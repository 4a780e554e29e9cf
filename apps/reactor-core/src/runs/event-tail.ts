// Reads a file that another process appends to, from a byte offset on, in complete lines: a half-written last line
// waits for its end. What is bounded: bytes read at a time and in all, and the length of a line (a longer one counts as
// bad).
import type { Stats } from 'node:fs';
import { type FileHandle, open, truncate } from 'node:fs/promises';

const CHUNK_BYTES = 256 * 1024;
/** An event is a few hundred bytes; a trainer that writes more in one line is babbling. */
export const LINE_BYTES_MAX = 64 * 1024;
/** Of one attempt: an event for each of the most epochs takes a third of it. What comes behind is never read. */
export const EVENTS_BYTES_MAX = 64 * 1024 * 1024;
const NEWLINE = 0x0a;

export interface TailBatch {
  readonly lines: readonly string[];
  readonly from: number;
  readonly to: number;
  /** Lines that were too long, left out. */
  readonly tooLong: number;
  /** Whether what follows is still the rest of a line that is too long. */
  readonly inLongLine: boolean;
}

type Found = Pick<Stats, 'size' | 'mtimeMs'>;

export class EventTail {
  readonly #path: string;
  #offset: number;
  #inLongLine = false;
  #found: Found = { size: 0, mtimeMs: 0 };
  #heard: Found = this.#found;

  constructor(path: string, offset: number) {
    this.#path = path;
    this.#offset = offset;
  }

  /** The next complete lines; null when there are none now (or no file yet). Call `accept` when they were taken in. */
  async next(): Promise<TailBatch | null> {
    const chunk = await this.#read();
    const end = chunk.lastIndexOf(NEWLINE) + 1;
    if (end === 0) return chunk.length > LINE_BYTES_MAX ? this.#skip(chunk.length) : null;
    const lines = chunk.subarray(0, end).toString('utf8').split('\n').slice(0, -1);
    const whole = this.#inLongLine ? lines.slice(1) : lines;
    const kept = whole.filter((line) => Buffer.byteLength(line) <= LINE_BYTES_MAX);
    return {
      lines: kept.filter((line) => line.trim() !== ''),
      from: this.#offset,
      to: this.#offset + end,
      tooLong: whole.length - kept.length,
      inLongLine: false,
    };
  }

  accept(batch: TailBatch): void {
    this.#inLongLine = batch.inLongLine;
    this.#offset = batch.to;
  }

  /** Whether it was written to, or only touched, since this was asked last. */
  hasChanged(): boolean {
    const { size, mtimeMs } = this.#found;
    const changed = size !== this.#heard.size || mtimeMs !== this.#heard.mtimeMs;
    this.#heard = this.#found;
    return changed;
  }

  /** Whether there is more of it than is ever read. */
  get isTooLarge(): boolean {
    return this.#found.size > EVENTS_BYTES_MAX;
  }

  /** Cuts off what is never read. For when nobody writes any more. */
  async cut(): Promise<void> {
    if (this.isTooLarge) await truncate(this.#path, EVENTS_BYTES_MAX);
  }

  /** The beginning of a line that is too long is passed over; its rest is left out when its end comes. */
  #skip(length: number): TailBatch {
    const to = this.#offset + length;
    return { lines: [], from: this.#offset, to, tooLong: this.#inLongLine ? 0 : 1, inLongLine: true };
  }

  async #read(): Promise<Buffer> {
    let file: FileHandle;
    try {
      file = await open(this.#path, 'r');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return Buffer.alloc(0);
      throw error;
    }
    try {
      this.#found = await file.stat();
      const length = Math.min(CHUNK_BYTES, EVENTS_BYTES_MAX - this.#offset);
      const buffer = Buffer.alloc(length);
      const { bytesRead } = await file.read(buffer, 0, length, this.#offset);
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  }
}
