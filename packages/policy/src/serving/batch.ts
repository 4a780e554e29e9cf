// Which of the predictions that wait go into the next run of a model. A run takes whatever came while the one before was
// under way; nobody waits for company unless a delay is asked for, and then never longer than that.
import { invariant } from '@jarvis/contracts';

export interface BatchLimits {
  /** The most inputs of one run. */
  readonly inputsMax: number;
  /** How long the first input may wait for others while the model is idle; 0: not at all. */
  readonly delayMs: number;
}

export interface BatchQueue {
  readonly waiting: number;
  /** When the oldest of them came; means nothing while none waits. */
  readonly oldestMs: number;
  readonly isRunning: boolean;
}

export type BatchStep =
  /** Nothing to do until an input comes or the run ends. */
  | { readonly kind: 'rest' }
  /** Look again after so long, unless an input comes first. */
  | { readonly kind: 'wait'; readonly forMs: number }
  /** Run so many, the oldest first. */
  | { readonly kind: 'run'; readonly inputs: number };

const REST: BatchStep = { kind: 'rest' };

export function nextBatch(queue: BatchQueue, limits: BatchLimits, nowMs: number): BatchStep {
  const { waiting, oldestMs, isRunning } = queue;
  if (isRunning || waiting === 0) return REST;
  if (waiting >= limits.inputsMax) return { kind: 'run', inputs: limits.inputsMax };
  const waitedMs = nowMs - oldestMs;
  if (waitedMs >= limits.delayMs) return { kind: 'run', inputs: waiting };
  return { kind: 'wait', forMs: limits.delayMs - waitedMs };
}

export interface RunBound {
  /** What one input costs the model. */
  readonly costMs: number;
  /** How long a run may hold up whoever comes behind it. */
  readonly runMsMax: number;
  /** However cheap they are. */
  readonly inputsMax: number;
}

/** How many inputs a run may take so that it is over in time: one at least, whatever that costs. */
export function inputsPerRun({ costMs, runMsMax, inputsMax }: RunBound): number {
  invariant(costMs >= 0 && runMsMax > 0 && inputsMax >= 1, 'costs and limits of a run are positive');
  if (costMs === 0) return inputsMax;
  return Math.min(inputsMax, Math.max(1, Math.floor(runMsMax / costMs)));
}
