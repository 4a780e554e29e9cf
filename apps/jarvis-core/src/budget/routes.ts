// HTTP of the budget: what is measured and reserved, and why the next job waits.
import { type Budget, budgetSchema, LLM_HOLDER, MODEL_TYPES } from '@jarvis/contracts';
import { availableBytes, isReserving, type MemoryView, orderQueue } from '@jarvis/policy';
import { type Clock, type HttpServer, isoOf } from '@jarvis/runtime';
import type { Queue } from '../store/queue.ts';

export interface BudgetRoutesOptions {
  readonly hostId: string;
  readonly queue: Queue;
  readonly clock: Clock;
  readonly agingMs: number;
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
  const [first] = orderQueue(
    jobs.filter((j) => j.state === 'queued'),
    options.clock.now(),
    options.agingMs,
  );
  // One that holds a slot and waits for memory comes before all that wait for a slot.
  const waiting = jobs.find((j) => j.state === 'waiting_for_memory') ?? first;
  const next = waiting === undefined ? null : await options.queue.reasonOf(waiting.jobId);
  const services = (memory?.services ?? []).map((s) => ({
    owner: s.owner,
    measured_bytes: s.measuredBytes,
    reserved_bytes: 0,
  }));
  const reserved = new Map(leases.filter(isReserving).map((l) => [l.holder, l.need.ram_bytes]));
  const holders = new Set([...Object.keys(memory?.holders ?? {}), ...reserved.keys()]);
  const training = [...holders].map((holder) => ({
    owner: holder === LLM_HOLDER ? 'LLM server' : `training ${holder}`,
    measured_bytes: memory?.holders[holder] ?? 0,
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
    needs: await needsOf(options.queue),
    next_job_waits: next,
  };
}

function needsOf(queue: Queue): Promise<Budget['needs']> {
  return Promise.all(
    MODEL_TYPES.map(async (model_type) => {
      const { bytes, why } = await queue.needOfNext(model_type);
      return { model_type, ram_bytes: bytes, why };
    }),
  );
}
