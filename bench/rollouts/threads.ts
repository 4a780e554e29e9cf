// The rollouts shared out over threads. Each is known by its number, so how many threads there are changes nothing.
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { type PairRow, type Row, type Simulated } from './simulate.ts';

const PART = new URL('./part.ts', import.meta.url);

export interface Part {
  readonly seed: number;
  readonly rollouts: number;
}

export async function simulateInThreads({ seed, rollouts }: Part, threads: number): Promise<Simulated> {
  const bounds = Array.from({ length: threads + 1 }, (_, i) => Math.round((rollouts * i) / threads));
  const parts = bounds
    .slice(0, -1)
    .map((from, i): Part => ({ seed: seed + from, rollouts: (bounds[i + 1] ?? from) - from }));
  return joined(await Promise.all(parts.map(inThread)));
}

async function inThread(part: Part): Promise<Simulated> {
  const [simulated] = (await once(new Worker(PART, { workerData: part }), 'message')) as [Simulated];
  return simulated;
}

/** In the order of the rollouts. */
export function joined(parts: readonly Simulated[]): Simulated {
  const [first, ...others] = parts;
  if (first === undefined) throw new Error('at least one thread has to simulate');
  return {
    rows: first.rows.map((row, i): Row => {
      const same = [row, ...others.flatMap((part) => part.rows[i] ?? [])];
      const verdicts = concatenated(same.map((r) => r.verdicts));
      return { ...row, unmet: same.reduce((sum, r) => sum + r.unmet, 0), verdicts };
    }),
    pairs: first.pairs.map((row, i): PairRow => {
      const same = [row, ...others.flatMap((part) => part.pairs[i] ?? [])];
      return { ...row, verdicts: concatenated(same.map((r) => r.verdicts)) };
    }),
  };
}

function concatenated<T extends Readonly<Record<string, unknown[]>>>(all: readonly T[]): T {
  const names = Object.keys(all[0] ?? {});
  return Object.fromEntries(names.map((name) => [name, all.flatMap((of) => of[name] ?? [])])) as T;
}
