// What JARVIS Core and Reactor Core say to each other, as far as the simulation needs it.
import type { CodedError, ModelType } from '@jarvis/contracts';
import type { Run } from '@jarvis/coordinator';
import type { SimProcess } from '../kernel/process.ts';
import type { Stream } from '../kernel/stream.ts';

export interface StartBody {
  readonly jobId: string;
  readonly modelType: ModelType;
  readonly epochs: number;
  readonly needBytes: number;
  readonly lastAttempt: boolean;
  /** null: Reactor Core takes slot and lease itself. */
  readonly grant: { readonly token: number; readonly slot: number; readonly leaseId: string | null } | null;
}

export interface Started {
  readonly jobId: string;
  readonly attempt: number;
}

export type Answer<T> = (answer: T) => void;
export type Refuse = (error: CodedError) => void;

/** Reactor Core, as it is called over the network. */
export interface ReactorCalls {
  readonly process: SimProcess;
  start(body: StartBody, reply: Answer<Started>, refuse: Refuse): void;
  cancel(jobId: string, reply: Answer<string>, refuse: Refuse): void;
  preempt(jobId: string, reply: Answer<string>, refuse: Refuse): void;
  runs(): readonly Run[];
  /** Throws `not_found`. */
  follow(jobId: string, after: number, stream: Stream): void;
}
