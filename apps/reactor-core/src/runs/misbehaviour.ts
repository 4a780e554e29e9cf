// What a live trainer is stopped for without anybody's asking: it hangs, or it writes without end.
import { beginSilence, isHung, listen, patienceMs, type Silence } from '@jarvis/policy';
import type { StopReason } from '../store/runs.ts';
import { EVENTS_BYTES_MAX, type EventTail } from './event-tail.ts';

/** Who floods has nothing more to say, and the disk fills meanwhile. */
const FLOODING_GRACE_MS_MAX = 2_000;

export interface Misdeed {
  readonly why: Extract<StopReason, 'silent' | 'flooding' | 'memory_pressure'>;
  readonly words: string;
  readonly graceMs: number;
}

export interface MisbehaviourOptions {
  readonly silenceLimitMs: number;
  readonly stopGraceMs: number;
  /** Of this run, also before this process followed it. */
  readonly longestPauseMs: number;
  readonly nowMs: number;
}

export class Misbehaviour {
  readonly #options: MisbehaviourOptions;
  #silence: Silence;

  constructor(options: MisbehaviourOptions) {
    this.#options = options;
    this.#silence = beginSilence(options.nowMs, options.longestPauseMs);
  }

  get longestPauseMs(): number {
    return this.#silence.longestPauseMs;
  }

  /** To be asked again and again, after the file of events was read. */
  look(tail: EventTail, nowMs: number): Misdeed | null {
    const { silenceLimitMs: limitMs, stopGraceMs } = this.#options;
    this.#silence = listen(this.#silence, { nowMs, heard: tail.hasChanged(), limitMs });
    if (tail.isTooLarge)
      return {
        why: 'flooding',
        words: `the trainer wrote more than ${EVENTS_BYTES_MAX / 1024 ** 2} MiB of events and was stopped`,
        graceMs: Math.min(stopGraceMs, FLOODING_GRACE_MS_MAX),
      };
    if (!isHung(this.#silence, limitMs)) return null;
    const seconds = Math.round(patienceMs(this.#silence, limitMs) / 1000);
    return {
      why: 'silent',
      words: `the trainer lived but gave no sign of life for ${seconds} s and was stopped (TRAINER_SILENCE_LIMIT)`,
      graceMs: stopGraceMs,
    };
  }
}
