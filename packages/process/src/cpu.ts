// How busy the processors were between two looks at their counters.
import { cpus } from 'node:os';

export interface CpuSample {
  readonly busyMs: number;
  readonly totalMs: number;
}

export interface CpuTimes {
  readonly times: { readonly user: number; nice: number; sys: number; idle: number; irq: number };
}

/** The counters of all processors, added up. */
export function sampleCpu(readCpus: () => readonly CpuTimes[] = cpus): CpuSample {
  let busyMs = 0;
  let idleMs = 0;
  for (const { times } of readCpus()) {
    busyMs += times.user + times.nice + times.sys + times.irq;
    idleMs += times.idle;
  }
  return { busyMs, totalMs: busyMs + idleMs };
}

/** Percent of all processors together, 0 to 100; 0 when no time passed between the samples. */
export function cpuPercentBetween(before: CpuSample, after: CpuSample): number {
  const totalMs = after.totalMs - before.totalMs;
  if (totalMs <= 0) return 0;
  return Math.min(100, Math.max(0, (100 * (after.busyMs - before.busyMs)) / totalMs));
}
