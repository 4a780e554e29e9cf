// What no schedule of one slot can do better than, even one that knows every arrival and duration in advance: stopping and
// going on cost nothing, and memory, the LLM and its loading are left out.
import type { Training } from './workload.ts';

interface Left {
  readonly training: Training;
  leftMs: number;
  /** Integral of the time at which its work was done. */
  busyMs2: number;
  endMs: number;
}

/** One slot, always given to the first by `before` of those that are there; stopped and gone on with for nothing. */
function preemptive(trainings: readonly Training[], before: (a: Left, b: Left) => number): Left[] {
  const all = trainings
    .map((training): Left => ({ training, leftMs: training.workMs, busyMs2: 0, endMs: NaN }))
    .toSorted((a, b) => a.training.arrivesMs - b.training.arrivesMs);
  let nowMs = 0;
  for (;;) {
    const open = all.filter((l) => l.leftMs > 0);
    if (open.length === 0) return all;
    const here = open.filter((l) => l.training.arrivesMs <= nowMs);
    const nextMs = open.find((l) => l.training.arrivesMs > nowMs)?.training.arrivesMs ?? Infinity;
    const [first] = here.toSorted(before);
    if (first === undefined) {
      nowMs = nextMs;
      continue;
    }
    const forMs = Math.min(first.leftMs, nextMs - nowMs);
    first.busyMs2 += forMs * (nowMs + forMs / 2);
    nowMs += forMs;
    first.leftMs = forMs === first.leftMs ? 0 : first.leftMs - forMs;
    if (first.leftMs === 0) first.endMs = nowMs;
  }
}

/**
 * The least mean turnaround, in ms: the shortest remaining work first, which is optimal for one machine with release
 * times and preemption (Schrage 1968).
 */
export function leastTurnaroundMs(trainings: readonly Training[]): number {
  const done = preemptive(trainings, (a, b) => a.leftMs - b.leftMs);
  return done.reduce((sum, l) => sum + l.endMs - l.training.arrivesMs, 0) / done.length;
}

/**
 * A lower bound of the weighted mean turnaround, in ms: finding the least is NP-hard, but with each in the order of weight by
 * work the sum of w (mean busy time + work / 2) is below the weighted completion times of every schedule (Goemans 1997).
 */
export function boundOfWeightedMs(trainings: readonly Training[], weightOf: (t: Training) => number): number {
  const ratio = ({ training }: Left): number => weightOf(training) / training.workMs;
  const done = preemptive(trainings, (a, b) => ratio(b) - ratio(a));
  let sum = 0;
  let weights = 0;
  for (const { training, busyMs2 } of done) {
    const weight = weightOf(training);
    sum += weight * (busyMs2 / training.workMs + training.workMs / 2 - training.arrivesMs);
    weights += weight;
  }
  return sum / weights;
}
