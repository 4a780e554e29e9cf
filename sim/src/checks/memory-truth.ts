// Memory as it truly was over the last while: a grant is right when there was room at some moment that the coordinator
// may have measured, with all that is reserved by then.
import type { MemoryView } from '@jarvis/policy';
import type { LeaseRow } from '../core/tables.ts';
import type { EventLoop } from '../kernel/event-loop.ts';
import type { Machine } from '../outside/machine.ts';
import type { Scenario } from '../scenario.ts';

/** A measurement that is older than so long, looks apart, is no reason to grant anything. */
const MEASURED_WITHIN_MS = 60_000;
const LOOKS = 3;

export interface MemoryTruthOptions {
  readonly scenario: Scenario;
  readonly loop: EventLoop;
  readonly machine: Machine;
  /** Bytes of each process tree that a lease is for, by its holder. */
  readonly holderBytes: () => ReadonlyMap<string, number>;
}

export class MemoryTruth {
  readonly #options: MemoryTruthOptions;
  #history: { atMs: number; bytes: number }[] = [{ atMs: 0, bytes: 0 }];

  constructor(options: MemoryTruthOptions) {
    this.#options = options;
  }

  /** To be called whenever somebody's memory has changed. */
  changed(): void {
    const { machine, loop, scenario } = this.#options;
    const held = [...this.#options.holderBytes().values()].reduce((a, b) => a + b, 0);
    const bytes = machine.usedBytes() - held;
    if (this.#history.at(-1)?.bytes === bytes) return;
    const sinceMs = loop.nowMs - MEASURED_WITHIN_MS - LOOKS * scenario.lookIntervalMs;
    const first = this.#history.findLastIndex((h) => h.atMs <= sinceMs);
    if (first > 0) this.#history = this.#history.slice(first);
    this.#history.push({ atMs: loop.nowMs, bytes });
  }

  /** Why these reservations were more than there was room for; null when they were not. */
  problemOf(leases: readonly LeaseRow[], measured: MemoryView | null): string | null {
    const { scenario, loop } = this.#options;
    if (measured === null) return 'nothing was measured';
    const budget = scenario.budgetBytes - scenario.safetyBytes;
    const services = measured.services.reduce((sum, s) => sum + s.measuredBytes, 0);
    const budgetTold = measured.budgetBytes - measured.safetyBytes;
    const told = measured.othersBytes + services + held(leases, new Map(Object.entries(measured.holders)));
    if (told > budgetTold) return `by the measurement ${gb(told)} of ${gb(budgetTold)} are taken`;
    const sinceMs = loop.nowMs - MEASURED_WITHIN_MS - LOOKS * scenario.lookIntervalMs;
    const first = Math.max(
      0,
      this.#history.findLastIndex((h) => h.atMs <= sinceMs),
    );
    const others = Math.min(...this.#history.slice(first).map((h) => h.bytes), Infinity);
    const truth = (others === Infinity ? 0 : others) + held(leases, this.#options.holderBytes());
    return truth > budget ? `in truth at least ${gb(truth)} of ${gb(budget)} are taken` : null;
  }
}

/** For each holder the larger of what is reserved and what is used. */
function held(leases: readonly LeaseRow[], used: ReadonlyMap<string, number>): number {
  const holders = new Map(used);
  for (const { holder, need } of leases)
    holders.set(holder, Math.max(holders.get(holder) ?? 0, need.ram_bytes));
  let sum = 0;
  for (const bytes of holders.values()) sum += bytes;
  return sum;
}

function gb(bytes: number): string {
  return `${(bytes / 1024 ** 3).toFixed(2)} GB`;
}
