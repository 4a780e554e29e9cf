// Stopping is a ladder, the same for own children and for adopted processes:
//   ask -> grace -> SIGTERM to the group, and SIGCONT -> grace -> SIGKILL to the group -> confirm
// A process that was stopped (SIGSTOP, ^Z) hears SIGTERM only when it goes on; for others SIGCONT means nothing.
// Gone means: the process is gone and nobody is left in its group. The result says which rung it took.
import { groupMembers, readProcess } from './processes.ts';
import { signalGroup, signalProcess } from './spawn.ts';
import { thisSystem, type System } from './system.ts';
import { systemTiming, type Timing } from './timing.ts';

export type StopRung = 'already_gone' | 'asked' | 'terminated' | 'killed' | 'unconfirmed';

export interface StopResult {
  readonly rung: StopRung;
  readonly elapsed_ms: number;
  /** Who still lives; empty unless the rung is `unconfirmed`. */
  readonly left: readonly number[];
}

export interface StopOptions {
  readonly pid: number;
  readonly startedTicks: number;
  /** Asks it to stop in its own language; false or an error: it was not heard, so SIGTERM comes at once. */
  readonly ask?: (signal: AbortSignal) => Promise<boolean>;
  /** Also stop what is left of its group when the process itself is gone already. Only for who saw it live until now: the numbers of the long dead belong to others. */
  readonly sweepGroup?: boolean;
  readonly askGraceMs?: number;
  readonly termGraceMs?: number;
  readonly killConfirmMs?: number;
  readonly timing?: Timing;
  readonly system?: System;
}

/** A service drains its requests and closes its database; most take well under a second. */
export const STOP_ASK_GRACE_MS = 10_000;
/** SIGTERM is for who did not hear the question; a handler that has not ended by then is stuck. */
export const STOP_TERM_GRACE_MS = 5000;
/** The kernel needs up to 60 ms to take 1 GB back; longer only in uninterruptible sleep (a dead disk or GPU). */
export const STOP_KILL_CONFIRM_MS = 10_000;
/** Who was left behind by its group's leader has lost its purpose: it gets little time of its own. */
const leftBehindGraceMs = 500;
const pollIntervalMs = 15;

/** Stops a process and its group. Never signals a pid that has another start time, nor a group that is not its own. */
export async function stopProcess(options: StopOptions): Promise<StopResult> {
  const { timing = systemTiming, system = thisSystem } = options;
  const from = timing.monotonicMs();
  const target = await Target.of(options, system);
  const result = (rung: StopRung, left: readonly number[] = []): StopResult => ({
    rung,
    elapsed_ms: timing.monotonicMs() - from,
    left,
  });
  if ((await target.left()).length === 0) return result('already_gone');

  const askGraceMs = options.askGraceMs ?? STOP_ASK_GRACE_MS;
  if (options.ask !== undefined && (await ask(options.ask, askGraceMs, timing)))
    if (await untilGone(target, askGraceMs, timing)) return result('asked');

  await target.signal('SIGTERM');
  await target.signal('SIGCONT');
  if (await untilGone(target, options.termGraceMs ?? STOP_TERM_GRACE_MS, timing)) return result('terminated');

  await target.signal('SIGKILL');
  if (await untilGone(target, options.killConfirmMs ?? STOP_KILL_CONFIRM_MS, timing, 'patient'))
    return result('killed');
  return result('unconfirmed', await target.left());
}

async function ask(
  question: (signal: AbortSignal) => Promise<boolean>,
  graceMs: number,
  timing: Timing,
): Promise<boolean> {
  const over = new AbortController();
  const answered = question(over.signal).catch(() => false);
  const heard = await Promise.race([answered, timing.sleep(graceMs, over.signal).then(() => false)]);
  over.abort();
  return heard;
}

async function untilGone(
  target: Target,
  graceMs: number,
  timing: Timing,
  patience: 'patient' | 'leader first' = 'leader first',
): Promise<boolean> {
  const deadline = timing.monotonicMs() + graceMs;
  let leaderGoneAt: number | null = null;
  for (;;) {
    const leaderLives = await target.leaderLives();
    if (!leaderLives && (await target.left()).length === 0) return true;
    const now = timing.monotonicMs();
    if (now >= deadline) return false;
    if (!leaderLives) leaderGoneAt ??= now;
    if (patience !== 'patient' && leaderGoneAt !== null && now - leaderGoneAt >= leftBehindGraceMs)
      return false;
    await timing.sleep(pollIntervalMs);
  }
}

/** The process, and its group when it leads one. As long as anybody is in a group, the kernel gives its number to nobody else. */
class Target {
  readonly #pid: number;
  readonly #startedTicks: number;
  readonly #group: boolean;
  readonly #system: System;

  private constructor(pid: number, startedTicks: number, group: boolean, system: System) {
    this.#pid = pid;
    this.#startedTicks = startedTicks;
    this.#group = group;
    this.#system = system;
  }

  static async of(options: StopOptions, system: System): Promise<Target> {
    const { pid, startedTicks, sweepGroup = false } = options;
    const row = await readProcess(pid, system);
    const leads = row === null ? sweepGroup : row.startTicks === startedTicks && row.pgid === pid;
    return new Target(pid, startedTicks, leads, system);
  }

  async leaderLives(): Promise<boolean> {
    const row = await readProcess(this.#pid, this.#system);
    return row !== null && row.startTicks === this.#startedTicks;
  }

  async left(): Promise<number[]> {
    if (this.#group) return await groupMembers(this.#pid, this.#system);
    return (await this.leaderLives()) ? [this.#pid] : [];
  }

  async signal(signal: NodeJS.Signals): Promise<void> {
    if (!this.#group) {
      if (await this.leaderLives()) signalProcess(this.#pid, signal);
      return;
    }
    signalGroup(this.#pid, signal);
    // Members of the session that made a group of their own do not get the group's signal.
    for (const pid of await groupMembers(this.#pid, this.#system)) {
      const row = await readProcess(pid, this.#system);
      if (row?.session === this.#pid && row.pgid !== this.#pid) signalProcess(pid, signal);
    }
  }
}
