// HTTP of the budget: what is measured and reserved, and the leases with their streams.
import { type Budget, budgetSchema, CodedError, isTerminal, leaseRequestSchema, LEASE_LIFECYCLE, leaseSchema, leasesSchema, type LeaseState, type ModelType } from '@jarvis/contracts';
import { clientGone, type Clock, type HttpServer, isoOf, lastEventId, type Random, sendSse, type SseMessage } from '@jarvis/runtime';
import { availableBytes, isReserving, type MemoryView } from '@jarvis/policy';
import type { Database, EventLog } from '@jarvis/store';
import { z } from 'zod';
import { findLease, LeaseTable, leaseStream, listLeases } from '../store/leases.ts';
import type { Queue } from '../store/queue.ts';
import { leaseOf, type LeaseRow } from '../store/rows.ts';

export interface BudgetRoutesOptions {
  readonly db: Database;
  readonly events: EventLog;
  readonly clock: Clock;
  readonly random: Random;
  readonly hostId: string;
  readonly leaseTtlSeconds: number;
  readonly queue: Queue;
  readonly memory: () => MemoryView | null;
  readonly defaultNeedBytes: (modelType: ModelType) => number;
  readonly onChange: () => void;
}

const params = z.object({ id: z.string().min(1).max(128) });

export function addBudgetRoutes(server: HttpServer, options: BudgetRoutesOptions): void {
  const { db, clock, random, hostId, leaseTtlSeconds, onChange } = options;
  const leases = new LeaseTable(options.events);
  const show = (row: LeaseRow): z.infer<typeof leaseSchema> => leaseOf(row, hostId, leaseTtlSeconds);
  const mustFind = async (leaseId: string): Promise<LeaseRow> => {
    const row = await findLease(db, leaseId);
    if (row === undefined) throw new CodedError('not_found', `there is no lease ${leaseId}`);
    return row;
  };
  server.get('/api/resources', { schema: { summary: 'The budget as measured, and why the next job waits', response: { 200: budgetSchema } } }, () => budgetOf(options));
  server.get('/api/leases', { schema: { summary: 'Memory leases, newest first', response: { 200: leasesSchema } } }, async () => ({ leases: (await listLeases(db)).map(show) }));
  server.get('/api/leases/:id', { schema: { summary: 'One lease', params, response: { 200: leaseSchema } } }, async (req) => show(await mustFind(req.params.id)));
  server.post('/api/leases', { schema: { summary: 'Ask for memory; granted on measured memory, see its stream', body: leaseRequestSchema, response: { 200: leaseSchema } } }, async (req) => {
    const leaseId = random.id('lease');
    const need = req.body.need ?? { ram_bytes: options.defaultNeedBytes(req.body.model_type), vram_bytes: {} };
    await db.transaction((tx) => leases.request(tx, { leaseId, holder: req.body.holder, need, reason: req.body.why, nowMs: clock.now() }));
    onChange();
    return show(await mustFind(leaseId));
  });
  server.post('/api/leases/:id/renew', { schema: { summary: 'Hold on to a lease', params, response: { 200: leaseSchema } } }, async (req) => {
    await mustFind(req.params.id);
    const renewed = await db.transaction((tx) => leases.renew(tx, req.params.id, clock.now(), leaseTtlSeconds * 1000));
    if (!renewed) throw new CodedError('lock_lost', `lease ${req.params.id} is not granted any more`);
    return show(await mustFind(req.params.id));
  });
  server.delete('/api/leases/:id', { schema: { summary: 'Give a lease back; its holder must be gone', params, response: { 200: leaseSchema } } }, async (req) => {
    await mustFind(req.params.id);
    await db.transaction((tx) => leases.change(tx, { leaseId: req.params.id, to: 'released', reason: 'given back', nowMs: clock.now() }));
    onChange();
    return show(await mustFind(req.params.id));
  });
  server.get('/api/leases/:id/stream', { schema: { summary: 'Events of a lease (SSE: granted, reclaim_requested, expired, released)', params } }, async (req, reply) => {
    await mustFind(req.params.id);
    await sendSse(reply, leaseMessages(options.events, req.params.id, lastEventId(req), clientGone(reply)));
  });
}

async function* leaseMessages(events: EventLog, leaseId: string, after: number, signal: AbortSignal): AsyncGenerator<SseMessage> {
  const isLast = (event: { data: unknown }): boolean => isTerminal(LEASE_LIFECYCLE, (event.data as { state: LeaseState }).state);
  for await (const event of events.follow({ stream: leaseStream(leaseId), after, signal, isLast })) {
    yield { id: String(event.seq), event: event.type, data: event.data };
  }
}

async function budgetOf(options: BudgetRoutesOptions): Promise<Budget> {
  const memory = options.memory();
  const { jobs, leases } = await options.queue.load();
  const waiting = jobs.filter((j) => j.state === 'queued' || j.state === 'waiting_for_memory')[0];
  const next = waiting === undefined ? null : await options.queue.reasonOf(waiting.jobId);
  const services = (memory?.services ?? []).map((s) => ({ owner: s.owner, measured_bytes: s.measuredBytes, reserved_bytes: 0 }));
  const reserved = new Map(leases.filter(isReserving).map((l) => [l.holder, l.need.ram_bytes]));
  const holders = new Set([...Object.keys(memory?.trainers ?? {}), ...reserved.keys()]);
  const training = [...holders].map((holder) => ({
    owner: `training ${holder}`, measured_bytes: memory?.trainers[holder] ?? 0, reserved_bytes: reserved.get(holder) ?? 0,
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
