// HTTP of the budget: what is measured and reserved, and why the next job waits.
import { type Budget, budgetSchema } from '@jarvis/contracts';
import { availableBytes, isReserving, type MemoryView } from '@jarvis/policy';
import { type HttpServer, isoOf } from '@jarvis/runtime';
import type { Queue } from '../store/queue.ts';

export interface BudgetRoutesOptions {
  readonly hostId: string;
  readonly queue: Queue;
  readonly memory: () => MemoryView | null;
}

export function addBudgetRoutes(server: HttpServer, options: BudgetRoutesOptions): void {
  const schema = {
    summary: 'The budget as measured, and why the next job waits',
    response: { 200: budgetSchema },
  };
  server.get('/api/resources', { schema }, () => budgetOf(options));
}

async function budgetOf(options: BudgetRoutesOptions): Promise<Budget> {
  const memory = options.memory();
  const { jobs, leases } = await options.queue.load();
  const waiting = jobs.filter((j) => j.state === 'queued' || j.state === 'waiting_for_memory')[0];
  const next = waiting === undefined ? null : await options.queue.reasonOf(waiting.jobId);
  const services = (memory?.services ?? []).map((s) => ({
    owner: s.owner,
    measured_bytes: s.measuredBytes,
    reserved_bytes: 0,
  }));
  const reserved = new Map(leases.filter(isReserving).map((l) => [l.holder, l.need.ram_bytes]));
  const holders = new Set([...Object.keys(memory?.trainers ?? {}), ...reserved.keys()]);
  const training = [...holders].map((holder) => ({
    owner: `training ${holder}`,
    measured_bytes: memory?.trainers[holder] ?? 0,
    reserved_bytes: reserved.get(holder) ?? 0,
  }));
  const owned = [...services, ...training];
  return {
    host_id: options.hostId,
    measured_at: memory === null ? null : isoOf(memory.measuredAtMs),
    budget_bytes: memory?.budgetBytes ?? 0,
    safety_bytes: memory?.safetyBytes ?? 0,
    used_bytes: (memory?.othersBytes ?? 0) + owned.reduce((sum, o) => sum + o.measured_bytes, 0),
    others_bytes: memory?.othersBytes ?? 0,
    owned,
    available_bytes: memory === null ? 0 : Math.max(0, Math.floor(availableBytes(memory, leases))),
    next_job_waits: next,
  };
}
