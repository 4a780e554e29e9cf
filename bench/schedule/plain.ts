// Schedulers without second thoughts: who has the slot keeps it to the end. The LLM leaves at once for whoever needs its
// memory, and is loaded again when that has ended.
import { PRIORITY_RANK } from '@jarvis/contracts';
import type { Training } from './workload.ts';

export interface Outcome {
  /** When each training ended, by its job. */
  readonly endsMs: ReadonlyMap<string, number>;
  /** Times at which the LLM was not there, in order. */
  readonly away: readonly { readonly fromMs: number; readonly toMs: number }[];
}

export interface PlainCosts {
  readonly startMs: number;
  readonly loadMs: number;
  /** What fits beside the LLM. */
  readonly besideBytes: number;
}

export type Order = (a: Training, b: Training) => number;

export const FIRST_COME: Order = (a, b) => a.arrivesMs - b.arrivesMs;
export const STRICT_PRIORITY: Order = (a, b) =>
  PRIORITY_RANK[a.priority] - PRIORITY_RANK[b.priority] || a.arrivesMs - b.arrivesMs;

export function plain(
  trainings: readonly Training[],
  order: Order,
  { startMs, loadMs, besideBytes }: PlainCosts,
): Outcome {
  const waiting = new Set(trainings);
  const endsMs = new Map<string, number>();
  const away: { fromMs: number; toMs: number }[] = [];
  let nowMs = 0;
  while (waiting.size > 0) {
    const [next] = [...waiting].filter((t) => t.arrivesMs <= nowMs).toSorted(order);
    if (next === undefined) {
      nowMs = Math.min(...[...waiting].map((t) => t.arrivesMs));
      continue;
    }
    waiting.delete(next);
    const fromMs = nowMs;
    nowMs += startMs + next.workMs;
    endsMs.set(next.jobId, nowMs);
    if (next.needBytes <= besideBytes) continue;
    const last = away.at(-1);
    if (last !== undefined && fromMs < last.toMs) last.toMs = nowMs + loadMs;
    else away.push({ fromMs, toMs: nowMs + loadMs });
  }
  return { endsMs, away };
}
