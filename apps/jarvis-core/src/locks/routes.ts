// HTTP of the named locks, those of the training slots among them.
import {
  CodedError,
  lockAcquireSchema,
  lockCancelledSchema,
  lockCancelSchema,
  lockGrantedSchema,
  lockHeldRequestSchema,
  lockReleasedSchema,
  locksSchema,
} from '@jarvis/contracts';
import { clientGone, type Clock, type HttpServer } from '@jarvis/runtime';
import type { Database } from '@jarvis/store';
import { z } from 'zod';
import { listLocks, renewLock, slotOf } from '../store/locks.ts';
import type { LockDesk } from './desk.ts';

export interface LockRoutesOptions {
  readonly db: Database;
  readonly clock: Clock;
  readonly desk: LockDesk;
  readonly ttlSeconds: number;
  readonly slots: number;
  /** A slot was taken or given back by somebody else than the coordinator. */
  readonly onSlotChange: () => void;
}

const params = z.object({ name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_./:-]{0,127}$/) });

export function addLockRoutes(server: HttpServer, options: LockRoutesOptions): void {
  const { db, desk } = options;
  server.get(
    '/api/locks',
    { schema: { summary: 'All named locks', response: { 200: locksSchema } } },
    async () => ({
      locks: (await listLocks(db)).map((lock) => ({ ...lock, waiting: desk.waiting(lock.name) })),
    }),
  );
  addAcquire(server, options);
  addRenew(server, options);
  addRelease(server, options);
  addCancel(server, options);
}

function addAcquire(server: HttpServer, options: LockRoutesOptions): void {
  server.post(
    '/api/locks/:name/acquire',
    {
      schema: {
        summary: 'Take a lock, or wait for it in line; 409 while somebody else holds it',
        params,
        body: lockAcquireSchema,
        response: { 200: lockGrantedSchema },
      },
    },
    async (req, reply) => {
      const { name } = req.params;
      const { holder, request_id, wait_seconds } = req.body;
      refuseMissingSlot(name, options.slots);
      const { token, ttlMs } = await options.desk.acquire({
        name,
        holder,
        requestId: request_id ?? null,
        ttlMs: (req.body.ttl_seconds ?? options.ttlSeconds) * 1000,
        waitMs: wait_seconds * 1000,
        gone: clientGone(reply),
      });
      tellSlot(name, options);
      return { name, holder, token, ttl_seconds: ttlMs / 1000 };
    },
  );
}

function addRenew(server: HttpServer, { db, clock, ttlSeconds }: LockRoutesOptions): void {
  server.post(
    '/api/locks/:name/renew',
    {
      schema: {
        summary: 'Hold on to a lock; 409 when it was lost',
        params,
        body: lockHeldRequestSchema,
        response: { 200: lockGrantedSchema },
      },
    },
    async (req) => {
      const { name } = req.params;
      const { holder, token } = req.body;
      const ttlMs = await db.transaction('core.lock.renew', (tx) =>
        renewLock(tx, { name, holder, token, nowMs: clock.now(), ttlMs: ttlSeconds * 1000 }),
      );
      if (ttlMs === null)
        throw new CodedError('lock_lost', `${holder} does not hold ${name} with token ${token} any more`);
      return { name, holder, token, ttl_seconds: ttlMs / 1000 };
    },
  );
}

function addRelease(server: HttpServer, options: LockRoutesOptions): void {
  server.post(
    '/api/locks/:name/release',
    {
      schema: {
        summary: 'Give a lock back',
        params,
        body: lockHeldRequestSchema,
        response: { 200: lockReleasedSchema },
      },
    },
    async (req) => {
      const { name } = req.params;
      const released = await options.desk.release({ name, ...req.body });
      tellSlot(name, options);
      return { name, released };
    },
  );
}

function addCancel(server: HttpServer, options: LockRoutesOptions): void {
  server.post(
    '/api/locks/:name/cancel',
    {
      schema: {
        summary: 'Call a request off, whether it waits, holds the lock, or has not arrived yet',
        params,
        body: lockCancelSchema,
        response: { 200: lockCancelledSchema },
      },
    },
    async (req) => {
      const { name } = req.params;
      const { request_id } = req.body;
      refuseMissingSlot(name, options.slots);
      const released = await options.desk.cancel(name, request_id);
      tellSlot(name, options);
      return { name, request_id, released };
    },
  );
}

/** Also a slot that a larger configuration once had: its row stays, so that its tokens go on growing. */
function refuseMissingSlot(name: string, slots: number): void {
  const slot = slotOf(name);
  if (slot !== null && slot >= slots)
    throw new CodedError('not_found', `there is no slot ${name} (MAX_CONCURRENT_TRAINING_JOBS is ${slots})`);
}

/** Other locks are nothing to the coordinator. */
function tellSlot(name: string, { onSlotChange }: LockRoutesOptions): void {
  if (slotOf(name) !== null) onSlotChange();
}
