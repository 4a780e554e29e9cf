// A request in the middle of a training, and what of its time went where: the training's way to its checkpoint, the LLM's way
// into memory, and the rest, which is the system's own.
import type { PrimeResources } from '@jarvis/contracts';
import { ask, type Told } from './asking.ts';
import { jobOf } from './jobs.ts';
import type { SmallMachine } from './small-machine.ts';

const LOOK_EVERY_MS = 10;

export interface ToldMidTraining extends Told {
  /** Of it: until the training had stopped, and until the LLM was loaded. As exact as looking is often. */
  readonly checkpointMs: number;
  readonly loadMs: number;
}

/** What is left when checkpoint and load are taken off. */
export function ownMs({ ms, checkpointMs, loadMs }: ToldMidTraining): number {
  return ms - checkpointMs - loadMs;
}

export async function askMidTraining(machine: SmallMachine, jobId: string): Promise<ToldMidTraining> {
  const answered = new AbortController();
  const preempting = measure(
    answered.signal,
    async () => (await jobOf(machine, jobId))?.state === 'preempting',
  );
  const loading = measure(answered.signal, async () => {
    const prime = await machine.get<PrimeResources>('j-prime', '/api/resources');
    return prime?.llm?.state === 'loading';
  });
  const told = await ask(machine);
  answered.abort();
  return { ...told, checkpointMs: await preempting, loadMs: await loading };
}

/** Milliseconds in which something was so, until the end. */
async function measure(ended: AbortSignal, isSo: () => Promise<boolean>): Promise<number> {
  let sumMs = 0;
  let lastMs = performance.now();
  while (!ended.aborted) {
    const so = await isSo();
    const nowMs = performance.now();
    if (so) sumMs += nowMs - lastMs;
    lastMs = nowMs;
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
  return sumMs;
}
