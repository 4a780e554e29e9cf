// HTTP of the memory leases: ask, look, renew, give back, follow.
import { isDeepStrictEqual } from 'node:util';
import {
  CodedError,
  isTerminal,
  LEASE_LIFECYCLE,
  leaseRequestSchema,
  leaseSchema,
  leasesSchema,
  type Lease,
  type LeaseState,
  type ModelType,
  type ResourceVector,
} from '@jarvis/contracts';
import {
  clientGone,
  type Clock,
  type HttpServer,
  lastEventId,
  type Random,
  sendSse,
  type SseMessage,
} from '@jarvis/runtime';
import type { Database, EventLog } from '@jarvis/store';
import { z } from 'zod';
import { findLease, LeaseTable, leaseStream, listLeases } from '../store/leases.ts';
import { leaseOf, type LeaseRow } from '../store/rows.ts';

export interface LeaseRoutesOptions {
  readonly db: Database;
  readonly events: EventLog;
  readonly clock: Clock;
  readonly random: Random;
  readonly hostId: string;
  readonly leaseTtlSeconds: number;
  readonly defaultNeedBytes: (modelType: ModelType) => number;
  readonly onChange: () => void;
}

const params = z.object({ id: z.string().min(1).max(128) });

export function addLeaseRoutes(server: HttpServer, options: LeaseRoutesOptions): void {
  const { db, hostId, leaseTtlSeconds } = options;
  const one = { params, response: { 200: leaseSchema } };
  server.get(
    '/api/leases',
    { schema: { summary: 'Memory leases, newest first', response: { 200: leasesSchema } } },
    async () => ({
      leases: (await listLeases(db)).map((row) => leaseOf(row, hostId, leaseTtlSeconds)),
    }),
  );
  server.get('/api/leases/:id', { schema: { summary: 'One lease', ...one } }, (req) =>
    mustFind(options, req.params.id),
  );
  server.post(
    '/api/leases',
    {
      schema: {
        summary: 'Ask for memory; granted on measured memory',
        body: leaseRequestSchema,
        response: { 200: leaseSchema },
      },
    },
    (req) => request(options, req.body),
  );
  server.post('/api/leases/:id/renew', { schema: { summary: 'Hold on to a lease', ...one } }, (req) =>
    renew(options, req.params.id),
  );
  server.delete(
    '/api/leases/:id',
    { schema: { summary: 'Give a lease back; its holder must be gone', ...one } },
    (req) => release(options, req.params.id),
  );
  server.get(
    '/api/leases/:id/stream',
    { schema: { summary: 'Events of a lease (SSE: granted, reclaim_requested, expired, released)', params } },
    async (req, reply) => {
      await mustFind(options, req.params.id);
      await sendSse(reply, leaseMessages(options.events, req.params.id, lastEventId(req), clientGone(reply)));
    },
  );
}

async function mustFind(
  { db, hostId, leaseTtlSeconds }: LeaseRoutesOptions,
  leaseId: string,
): Promise<Lease> {
  const row = await findLease(db, leaseId);
  if (row === undefined) throw new CodedError('not_found', `there is no lease ${leaseId}`);
  return leaseOf(row, hostId, leaseTtlSeconds);
}

async function request(
  options: LeaseRoutesOptions,
  body: z.infer<typeof leaseRequestSchema>,
): Promise<Lease> {
  const { db, random, clock, events, leaseTtlSeconds, onChange } = options;
  const leases = new LeaseTable(events);
  const need = body.need ?? { ram_bytes: options.defaultNeedBytes(body.model_type), vram_bytes: {} };
  const leaseId = await db.transaction('core.lease.request', async (tx) => {
    const live = await leases.liveOf(tx, body.holder);
    if (live !== undefined) return sameLease(live, need);
    const leaseId = random.id('lease');
    await leases.request(tx, {
      leaseId,
      holder: body.holder,
      purpose: body.purpose,
      need,
      reason: body.why,
      nowMs: clock.now(),
      ttlMs: leaseTtlSeconds * 1000,
    });
    return leaseId;
  });
  onChange();
  return mustFind(options, leaseId);
}

/** Asked again (an answer may have been lost), a holder gets the lease that it has. */
function sameLease(live: LeaseRow, need: Omit<ResourceVector, 'host_id'>): string {
  const same =
    Number(live.need_ram) === need.ram_bytes &&
    isDeepStrictEqual(JSON.parse(live.need_vram), need.vram_bytes);
  if (same) return live.lease_id;
  throw new CodedError(
    'job_conflict',
    `${live.holder} has lease ${live.lease_id} with another need: give that back first`,
  );
}

async function renew(options: LeaseRoutesOptions, leaseId: string): Promise<Lease> {
  const { db, clock, events, leaseTtlSeconds } = options;
  await mustFind(options, leaseId);
  const renewed = await db.transaction('core.lease.renew', (tx) =>
    new LeaseTable(events).renew(tx, leaseId, clock.now(), leaseTtlSeconds * 1000),
  );
  if (!renewed)
    throw new CodedError(
      'lock_lost',
      `lease ${leaseId} is ${(await mustFind(options, leaseId)).state}: it cannot be renewed`,
    );
  return mustFind(options, leaseId);
}

async function release(options: LeaseRoutesOptions, leaseId: string): Promise<Lease> {
  const { db, clock, events, onChange } = options;
  await mustFind(options, leaseId);
  await db.transaction('core.lease.release', (tx) =>
    new LeaseTable(events).change(tx, { leaseId, to: 'released', reason: 'given back', nowMs: clock.now() }),
  );
  onChange();
  return mustFind(options, leaseId);
}

async function* leaseMessages(
  events: EventLog,
  leaseId: string,
  after: number,
  signal: AbortSignal,
): AsyncGenerator<SseMessage> {
  const isLast = (event: { data: unknown }): boolean =>
    isTerminal(LEASE_LIFECYCLE, (event.data as { state: LeaseState }).state);
  for await (const event of events.follow({ stream: leaseStream(leaseId), after, signal, isLast })) {
    yield { id: String(event.seq), event: event.type, data: event.data };
  }
}
