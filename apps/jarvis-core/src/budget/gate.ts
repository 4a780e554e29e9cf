// Whether anybody may train now: what a person said, the hour, and whether the machine is in use.
import type { TrainingGateState, TrainingWindow } from '@jarvis/contracts';
import { type HoldRules, holdOf, type MachineUse, type Pause, type TrainingHold } from '@jarvis/policy';
import { type Clock, isoOf } from '@jarvis/runtime';
import type { Database } from '@jarvis/store';
import { readPause, writePause } from '../store/pause.ts';

export interface TrainingGateOptions extends HoldRules {
  readonly db: Database;
  readonly clock: Clock;
  readonly window: TrainingWindow | null;
  /** Minutes after midnight where this machine is. */
  readonly minuteOfDay: (nowMs: number) => number;
}

export class TrainingGate {
  readonly #options: TrainingGateOptions;
  #pause: Pause | null = null;
  #use: MachineUse | null = null;

  constructor(options: TrainingGateOptions) {
    this.#options = options;
  }

  async open(): Promise<void> {
    this.#pause = await readPause(this.#options.db);
  }

  /** As the machine was last measured. */
  noteUse(use: MachineUse): void {
    this.#use = use;
  }

  hold(): TrainingHold | null {
    const { clock, window, minuteOfDay } = this.#options;
    const nowMs = clock.now();
    const facts = { nowMs, window, pause: this.#pause, use: this.#use, minuteOfDay: minuteOfDay(nowMs) };
    return holdOf(facts, this.#options);
  }

  async pause(reason: string, seconds: number | undefined): Promise<void> {
    const { db, clock } = this.#options;
    const pause = { reason, untilMs: seconds === undefined ? null : clock.now() + seconds * 1000 };
    await writePause(db, pause);
    this.#pause = pause;
  }

  async resume(): Promise<void> {
    await writePause(this.#options.db, null);
    this.#pause = null;
  }

  state(): TrainingGateState {
    const hold = this.hold();
    const pause = this.#pause;
    const isOver = pause?.untilMs != null && pause.untilMs <= this.#options.clock.now();
    return {
      held: hold !== null,
      reason: hold?.reason ?? null,
      paused: pause !== null && !isOver,
      paused_until: pause?.untilMs == null || isOver ? null : isoOf(pause.untilMs),
    };
  }
}

/** By the clock on the wall: summer time and all. */
export function localMinuteOfDay(nowMs: number): number {
  const local = new Date(nowMs);
  return local.getHours() * 60 + local.getMinutes();
}
