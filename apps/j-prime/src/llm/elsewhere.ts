// Traffic that goes around J-Prime: more requests than ours by the server's own count; where it does not count, its
// processes at work while we have none there.
import { readTreesCpuMs } from '@jarvis/process';
import type { Clock } from '@jarvis/runtime';
import type { EngineLook, LlmEngine } from './engine.ts';
import type { Traffic } from './traffic.ts';

/** Of one processor, between two looks. A server without requests takes a few percent at most. */
const BUSY_CPU_SHARE = 0.2;

interface Sample {
  readonly atMs: number;
  readonly cpuMs: number;
  /** How many requests of ours there had been by then: one in between makes the figures ours. */
  readonly entered: number;
}

export class Elsewhere {
  readonly #engine: LlmEngine;
  readonly #traffic: Traffic;
  readonly #clock: Clock;
  #before: Sample | null = null;

  constructor(engine: LlmEngine, traffic: Traffic, clock: Clock) {
    this.#engine = engine;
    this.#traffic = traffic;
    this.#clock = clock;
  }

  async note(look: EngineLook): Promise<void> {
    if (look.running !== null) return this.#traffic.noteElsewhere(look.running > this.#traffic.running);
    const now = await this.#sample();
    const before = this.#before;
    this.#before = now;
    if (now === null || before === null || before.entered !== now.entered)
      return this.#traffic.noteElsewhere(false);
    const share = (now.cpuMs - before.cpuMs) / Math.max(1, now.atMs - before.atMs);
    this.#traffic.noteElsewhere(share > BUSY_CPU_SHARE);
  }

  /** What was seen before says nothing of what comes: it was loaded, or gave its memory back. */
  forget(): void {
    this.#before = null;
    this.#traffic.noteElsewhere(false);
  }

  async #sample(): Promise<Sample | null> {
    if (this.#traffic.running > 0) return null;
    const pids = await this.#engine.pids();
    const cpuMs = pids.length === 0 ? null : await readTreesCpuMs(pids);
    if (cpuMs === null || this.#traffic.running > 0) return null;
    return { atMs: this.#clock.monotonic(), cpuMs, entered: this.#traffic.entered };
  }
}
