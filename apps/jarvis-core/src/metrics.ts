// The gauges of JARVIS Core, read when somebody scrapes.
import type { Outbox } from '@jarvis/contracts';
import { availableBytes, isReserving, type MemoryView } from '@jarvis/policy';
import { type Clock, type Meter, type Put, putOutbox } from '@jarvis/runtime';
import type { Database } from '@jarvis/store';
import { readOutbox } from './store/interactions.ts';
import {
  countExperiences,
  countJobsByState,
  countLeases,
  countSlots,
  oldestWaiting,
} from './store/metrics.ts';
import type { Queue } from './store/queue.ts';

export interface CoreMetricsOptions {
  readonly meter: Meter;
  readonly db: Database;
  readonly clock: Clock;
  readonly queue: Queue;
  readonly memory: () => MemoryView | null;
}

export function addCoreMetrics({ meter, db, clock, queue, memory }: CoreMetricsOptions): void {
  meter.read((put) => readQueue(put, db, clock.now()));
  meter.read(async (put) => putOutbox(put, await outboxOf(db, clock)));
  meter.read(async (put) => {
    const measured = memory();
    if (measured !== null) putMemory(put, measured, (await queue.load()).leases);
  });
}

export async function outboxOf(db: Database, clock: Clock): Promise<Outbox> {
  const { pending, oldestMs, refused } = await readOutbox(db);
  const ageMs = oldestMs === null ? null : Math.max(0, clock.now() - oldestMs);
  return { pending, oldest_age_seconds: ageMs === null ? null : ageMs / 1000, refused };
}

async function readQueue(put: Put, db: Database, nowMs: number): Promise<void> {
  for (const { kind, source, total } of await countExperiences(db))
    put('jarvis_experiences_total', { kind, source }, total);
  for (const { kind, state, jobs } of await countJobsByState(db)) put('jarvis_jobs', { kind, state }, jobs);
  for (const { kind, sinceMs } of await oldestWaiting(db))
    put('jarvis_job_oldest_wait_seconds', { kind }, Math.max(0, nowMs - sinceMs) / 1000);
  for (const { state, slots } of await countSlots(db)) put('jarvis_training_slots', { state }, slots);
  for (const { state, leases } of await countLeases(db)) put('jarvis_leases', { state }, leases);
}

type Leases = Awaited<ReturnType<Queue['load']>>['leases'];

function putMemory(put: Put, memory: MemoryView, leases: Leases): void {
  const reserved = leases.filter(isReserving).reduce((sum, lease) => sum + lease.need.ram_bytes, 0);
  put('jarvis_memory_budget_bytes', {}, memory.budgetBytes);
  put('jarvis_memory_safety_bytes', {}, memory.safetyBytes);
  put('jarvis_memory_reserved_bytes', {}, reserved);
  put('jarvis_memory_available_bytes', {}, Math.max(0, availableBytes(memory, leases)));
  for (const { owner, measuredBytes } of memory.services)
    put('jarvis_memory_measured_bytes', { owner }, measuredBytes);
  const training = Object.values(memory.holders).reduce((sum, bytes) => sum + bytes, 0);
  put('jarvis_memory_measured_bytes', { owner: 'training' }, training);
  put('jarvis_memory_measured_bytes', { owner: 'others' }, memory.othersBytes);
}
