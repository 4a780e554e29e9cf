// What is asked of each kind of server that was there before J-Prime: to be seen, to give back, to come back.
import type { LlmServerKind } from '@jarvis/contracts';
import type { EngineState, ReleaseWay } from '../engine.ts';
import type { Calls } from './calls.ts';

export interface Sight {
  readonly state: EngineState;
  /** Names under which it would answer. */
  readonly listed: readonly string[];
  /** What holds memory now, by the name that its own calls take. */
  readonly loaded: readonly string[];
  /** null where it does not tell. */
  readonly running: number | null;
  /** Main memory, as it says; null where it does not tell. */
  readonly statedBytes: number | null;
  /** For a person. */
  readonly detail: string;
  readonly way: ReleaseWay | null;
  /** Why there is no way. */
  readonly cannot: string | null;
}

export interface Adapter {
  readonly kind: LlmServerKind;
  /** Wakes nobody. @throws {CallFailed} */
  look(signal: AbortSignal): Promise<Sight>;
  /** Asks for it; whether it is done, the next look tells. @throws {CallFailed} */
  release(sight: Sight, signal: AbortSignal): Promise<void>;
  /** Asks for it; whether it is done, the next look tells. @throws {CallFailed} */
  bring(sight: Sight, models: readonly string[], signal: AbortSignal): Promise<void>;
}

export interface Ground {
  readonly calls: Calls;
  /** Whether the memory of the GPU is the machine's own. */
  readonly isMemoryUnified: boolean;
}

export type MakeAdapter = (ground: Ground) => Adapter;
