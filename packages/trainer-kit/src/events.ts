// The events file: one JSON object a line, each line one write in append mode, with the token and the time on it. Between
// two events a new time on the file says that the trainer is at work.
import {
  closeSync,
  fdatasyncSync,
  fstatSync,
  futimesSync,
  mkdirSync,
  openSync,
  readSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import type { TrainerEventBody, TrainerJob } from '@jarvis/contracts';
import { failpoint } from '@jarvis/failpoints';
import type { TrainerHost } from './host.ts';

const NEWLINE = 0x0a;
const ALIVE_EVERY_MS_MAX = 10_000;
/** Many signs within Reactor Core's patience, so that a few that are late do no harm. */
const SIGNS_PER_LIMIT = 10;

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
  readonly #host: Pick<TrainerHost, 'now' | 'monotonicMs'>;
  readonly #aliveEveryMs: number;
  #signAtMs: number;

  constructor(
    job: Pick<TrainerJob, 'events_path' | 'token' | 'silence_limit_seconds'>,
    host: Pick<TrainerHost, 'now' | 'monotonicMs'>,
  ) {
    mkdirSync(dirname(job.events_path), { recursive: true });
    this.#fd = openSync(job.events_path, 'a+');
    this.#token = job.token;
    this.#host = host;
    const limitMs = (job.silence_limit_seconds ?? Infinity) * 1000;
    this.#aliveEveryMs = Math.min(ALIVE_EVERY_MS_MAX, limitMs / SIGNS_PER_LIMIT);
    this.#signAtMs = host.monotonicMs();
    if (endsTorn(this.#fd)) writeSync(this.#fd, '\n');
  }

  /** Appends one event; everything but progress is on the disk when this returns. */
  emit(body: TrainerEventBody): void {
    const line = `${JSON.stringify({ token: this.#token, at: this.#host.now().toISOString(), ...body })}\n`;
    failpoint('trainer.event.append', 'before');
    writeSync(this.#fd, Buffer.from(line));
    if (body.type !== 'progress') fdatasyncSync(this.#fd);
    failpoint('trainer.event.append', 'after');
    this.#signAtMs = this.#host.monotonicMs();
  }

  /** To be called as work goes on, as often as one likes: now and then it leaves a sign. */
  alive(): void {
    const nowMs = this.#host.monotonicMs();
    if (nowMs - this.#signAtMs < this.#aliveEveryMs) return;
    this.#signAtMs = nowMs;
    const now = this.#host.now();
    futimesSync(this.#fd, now, now);
  }

  close(): void {
    closeSync(this.#fd);
  }
}
