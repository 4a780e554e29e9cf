// HTTP of the named locks, those of the training slots among them.
import {
  CodedError,
  lockAcquireSchema,
  lockGrantedSchema,
  lockHeldRequestSchema,
  lockReleasedSchema,
  locksSchema,
} from '@jarvis/contracts';
import type { Clock, HttpServer } from '@jarvis/runtime';
import type { Database } from '@jarvis/store';
import { z } from 'zod';
import { acquireLock, listLocks, releaseLock, renewLock, slotOf } from '../store/locks.ts';

export interface LockRoutesOptions {
  readonly db: Database;
  readonly clock: Clock;
  readonly ttlSeconds: number;
  readonly slots: number;
  readonly onChange: () => void;
}

const params = z.object({ name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_./:-]{0,127}$/) });

export function addLockRoutes(server: HttpServer, options: LockRoutesOptions): void {
  const { db, clock, onChange } = options;
  server.get(
    '/api/locks',
    { schema: { summary: 'All named locks', response: { 200: locksSchema } } },
    async () => ({ locks: await listLocks(db) }),
  );
  server.post(
    '/api/locks/:name/acquire',
    {
      schema: {
        summary: 'Take a lock; 409 while somebody else holds it',
        params,
        body: lockAcquireSchema,
        response: { 200: lockGrantedSchema },
      },
    },
    async (req) => {
      const { name } = req.params;
      refuseMissingSlot(name, options.slots);
      const ttlSeconds = req.body.ttl_seconds ?? options.ttlSeconds;
      const request = { name, holder: req.body.holder, nowMs: clock.now(), ttlMs: ttlSeconds * 1000 };
      const token = await db.transaction('core.lock.acquire', (tx) => acquireLock(tx, request));
      if (token === null) throw await heldByAnother(db, name);
      onChange();
      return { name, holder: req.body.holder, token, ttl_seconds: ttlSeconds };
    },
  );
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
        renewLock(tx, { name, holder, token, nowMs: clock.now(), ttlMs: options.ttlSeconds * 1000 }),
      );
      if (ttlMs === null)
        throw new CodedError('lock_lost', `${holder} does not hold ${name} with token ${token} any more`);
      return { name, holder, token, ttl_seconds: ttlMs / 1000 };
    },
  );
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
      const released = await db.transaction('core.lock.release', (tx) =>
        releaseLock(tx, name, req.body.holder, req.body.token),
      );
      onChange();
      return { name, released };
    },
  );
}

/** Also a slot that a larger configuration once had: its row stays, so that its tokens go on growing. */
function refuseMissingSlot(name: string, slots: number): void {
  const slot = slotOf(name);
  if (slot !== null && slot >= slots)
    throw new CodedError('not_found', `there is no slot ${name} (MAX_CONCURRENT_TRAINING_JOBS is ${slots})`);
}

async function heldByAnother(db: Database, name: string): Promise<CodedError> {
  const lock = (await listLocks(db)).find((l) => l.name === name);
  return new CodedError(
    'lock_held',
    `${name} is held by ${lock?.holder ?? 'another'}`,
    lock?.holder == null ? {} : { active_job_id: lock.holder, retry_after_seconds: 1 },
  );
}
