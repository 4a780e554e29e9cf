// The events file: one JSON object a line, each line one write in append mode, with the token and the time on it.
import { closeSync, fdatasyncSync, fstatSync, mkdirSync, openSync, readSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import type { TrainerEventBody, TrainerJob } from '@jarvis/contracts';
import { failpoint } from '@jarvis/failpoints';
import type { TrainerHost } from './host.ts';

const NEWLINE = 0x0a;

/** Whether the file ends in the middle of a line, as a full disk leaves it. */
function endsTorn(fd: number): boolean {
  const { size } = fstatSync(fd);
  if (size === 0) return false;
  const last = new Uint8Array(1);
  readSync(fd, last, 0, 1, size - 1);
  return last[0] !== NEWLINE;
}

export class EventLog {
  readonly #fd: number;
  readonly #token: number;
  readonly #now: () => Date;

  constructor(job: Pick<TrainerJob, 'events_path' | 'token'>, host: Pick<TrainerHost, 'now'>) {
    mkdirSync(dirname(job.events_path), { recursive: true });
    this.#fd = openSync(job.events_path, 'a+');
    this.#token = job.token;
    this.#now = host.now;
    if (endsTorn(this.#fd)) writeSync(this.#fd, '\n');
  }

  /** Appends one event; everything but progress is on the disk when this returns. */
  emit(body: TrainerEventBody): void {
    const line = `${JSON.stringify({ token: this.#token, at: this.#now().toISOString(), ...body })}\n`;
    failpoint('trainer.event.append', 'before');
    writeSync(this.#fd, Buffer.from(line));
    if (body.type !== 'progress') fdatasyncSync(this.#fd);
    failpoint('trainer.event.append', 'after');
  }

  close(): void {
    closeSync(this.#fd);
  }
}
