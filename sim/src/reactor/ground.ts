// What the parts of the simulated Reactor Core share.
import type { HoldingCalls } from '../core/holding-calls.ts';
import type { Chance } from '../kernel/chance.ts';
import type { Disk, Transaction } from '../kernel/disk.ts';
import type { EventLoop } from '../kernel/event-loop.ts';
import type { Journal } from '../kernel/journal.ts';
import type { Machine } from '../outside/machine.ts';
import type { Network } from '../kernel/network.ts';
import type { SimProcess } from '../kernel/process.ts';
import type { Scenario } from '../scenario.ts';
import type { ReactorTables, RunRow } from './tables.ts';
import type { Trainer } from './trainer.ts';

/** A live trainer, as it is followed. */
export interface Followed {
  readonly run: RunRow;
  readonly trainer: Trainer | null;
  wake(): void;
  exited(): void;
  stop(graceMs: number): void;
  onEnd(then: () => void): void;
}

export interface ReactorGround {
  readonly scenario: Scenario;
  readonly loop: EventLoop;
  readonly network: Network;
  readonly chance: Chance;
  readonly journal: Journal;
  readonly machine: Machine;
  readonly process: SimProcess;
  readonly disk: Disk;
  readonly tables: ReactorTables;
  readonly wall: () => number;
  readonly core: () => HoldingCalls;
  /** Spawns the program of a run; the process goes on without Reactor Core. null: it cannot be started. */
  readonly spawn: (run: RunRow) => Trainer | null;
  /** Processes that live, by pid. */
  readonly trainers: ReadonlyMap<number, Trainer>;
  /** In memory only: which trainer is followed for which job. */
  readonly live: Map<string, Followed>;
  /** A transaction whose events are told to those who read along. */
  readonly commit: <T>(work: (tx: Transaction) => T) => T;
  /** A run has ended in the store. */
  readonly onRunEnded: (run: RunRow) => void;
}
