// Reads a file that another process appends to, from a byte offset on, in complete lines: a half-written last line
// waits for its end. What is bounded: bytes read at a time, and the length of a line (a longer one counts as bad).
import { type FileHandle, open } from 'node:fs/promises';

const CHUNK_BYTES = 256 * 1024;
/** An event is a few hundred bytes; a trainer that writes more in one line is babbling. */
export const LINE_BYTES_MAX = 64 * 1024;
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

export class EventTail {
  readonly #path: string;
  #offset: number;
  #inLongLine = false;

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
      const buffer = Buffer.alloc(CHUNK_BYTES);
      const { bytesRead } = await file.read(buffer, 0, CHUNK_BYTES, this.#offset);
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  }
}
