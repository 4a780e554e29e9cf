// Named locks: grant, renew and release are one compare-and-set each; tokens of a name only grow, for ever.
import { CodedError, invariant, type Lock, LOCK_LIFECYCLE, slotLockName, sourcesOf } from '@jarvis/contracts';
import { decideLock, type LockRequest as LockQuestion, type LockView, mayRenewLock } from '@jarvis/policy';
import { type Database, join, sql, type Transaction } from '@jarvis/store';
import { endRequest, endOfRequest } from './lock-requests.ts';
import { type LockRow, lockOf, numberOrNull } from './rows.ts';

const SLOT_NAME = /^training\/(\d+)$/;

export interface LockRequest extends LockQuestion {
  readonly name: string;
}

export type Acquired =
  /** `isNew`: not the answer to a request that had this grant already. */
  | { readonly kind: 'granted'; readonly token: number; readonly ttlMs: number; readonly isNew: boolean }
  /** `holder` is null when it is free, but others wait. */
  | { readonly kind: 'held'; readonly holder: string | null; readonly expiresAtMs: number | null };

interface Held {
  readonly name: string;
  readonly holder: string;
  readonly token: number;
}

/** The number of a training slot's lock, null for other names. Slots are freed by the coordinator, never by time alone. */
export function slotOf(name: string): number | null {
  const match = SLOT_NAME.exec(name);
  return match === null ? null : Number(match[1]);
}

export async function createSlotLocks(tx: Transaction, slots: number): Promise<void> {
  for (let slot = 0; slot < slots; slot += 1) await createLock(tx, slotLockName(slot));
}

/** The token of a slot for a job, or null when another has it. The same job asking again gets its token again. */
export async function acquireLock(
  tx: Transaction,
  request: Omit<LockRequest, 'requestId' | 'inTurn'>,
): Promise<number | null> {
  const answer = await requestLock(tx, { ...request, requestId: null, inTurn: true });
  return answer.kind === 'granted' ? answer.token : null;
}

/** Throws `request_ended` for a request that was cancelled or had its grant, `idempotency_conflict` for another's id. */
export async function requestLock(tx: Transaction, request: LockRequest): Promise<Acquired> {
  const { name, holder, requestId } = request;
  if (requestId !== null) await refuseEnded(tx, name, requestId);
  const row = (await findLock(tx, name)) ?? (await createNamed(tx, name));
  const decision = decideLock(viewOf(row), request);
  switch (decision.kind) {
    case 'grant':
      if (decision.replaces !== null) await endRequest(tx, name, decision.replaces, 'expired');
      await grant(tx, request, row);
      return { ...decision, kind: 'granted', isNew: true };
    case 'repeat':
      await setExpiry(tx, row, { expiresAtMs: request.nowMs + decision.ttlMs, ttlMs: decision.ttlMs });
      return { ...decision, kind: 'granted', isNew: false };
    case 'held':
      if (decision.expiresAtMs !== numberOrNull(row.expires_at))
        await setExpiry(tx, row, { expiresAtMs: decision.expiresAtMs, ttlMs: numberOrNull(row.ttl_ms) });
      return { kind: 'held', holder: row.holder, expiresAtMs: decision.expiresAtMs };
    case 'ended':
      throw requestEnded(name, requestId, 'expired');
    case 'conflict':
      throw new CodedError(
        'idempotency_conflict',
        `request ${requestId} for ${name} is that of ${row.holder}, not of ${holder}`,
      );
  }
}

/**
 * Holds on for as long as was asked for with the grant (`request.ttlMs` where that is not known); answers for how many
 * ms, null when this token no longer holds it.
 */
export async function renewLock(
  tx: Transaction,
  request: Held & Pick<LockRequest, 'nowMs' | 'ttlMs'>,
): Promise<number | null> {
  const row = await findLock(tx, request.name);
  if (row === undefined || !mayRenewLock(viewOf(row), request, request.nowMs)) return null;
  const ttlMs = Math.round(numberOrNull(row.ttl_ms) ?? request.ttlMs);
  await setExpiry(tx, row, { expiresAtMs: request.nowMs + ttlMs, ttlMs });
  return ttlMs;
}

/** False when this token did not hold it. */
export async function releaseLock(tx: Transaction, held: Held): Promise<boolean> {
  const row = await findHeld(tx, held);
  if (row === undefined) return false;
  if (row.request_id !== null) await endRequest(tx, row.name, row.request_id, 'released');
  await free(tx, row);
  return true;
}

/** Takes back a grant that nobody was told of: its request may ask again, and gets another. */
export async function withdrawGrant(tx: Transaction, held: Held): Promise<void> {
  const row = await findHeld(tx, held);
  if (row !== undefined) await free(tx, row);
}

/** Whatever became or becomes of a request, from now on it holds nothing; true when it held the lock. */
export async function cancelRequest(tx: Transaction, name: string, requestId: string): Promise<boolean> {
  const row = await findLock(tx, name);
  const isHeld = row?.state === 'held' && row.request_id === requestId;
  await endRequest(tx, name, requestId, 'cancelled');
  if (isHeld) await free(tx, row);
  return isHeld;
}

/** Frees all that a holder has; for holders that are confirmed to be gone. */
export async function releaseLocksOf(tx: Transaction, holder: string): Promise<void> {
  const rows = await tx.all<LockRow>(
    sql`SELECT * FROM locks WHERE holder = ${holder} AND state = 'held' ORDER BY name`,
  );
  for (const row of rows) await releaseLock(tx, { name: row.name, holder, token: Number(row.token) });
}

export async function listLocks(db: Database): Promise<Lock[]> {
  return (await db.all<LockRow>(sql`SELECT * FROM locks ORDER BY name`)).map(lockOf);
}

async function findLock(tx: Transaction, name: string): Promise<LockRow | undefined> {
  return tx.get<LockRow>(sql`SELECT * FROM locks WHERE name = ${name}`);
}

async function findHeld(tx: Transaction, { name, holder, token }: Held): Promise<LockRow | undefined> {
  return tx.get<LockRow>(
    sql`SELECT * FROM locks WHERE name = ${name} AND state = 'held' AND holder = ${holder} AND token = ${token}`,
  );
}

async function createNamed(tx: Transaction, name: string): Promise<LockRow> {
  if (slotOf(name) !== null)
    throw new CodedError('not_found', `there is no slot ${name} (MAX_CONCURRENT_TRAINING_JOBS)`);
  await createLock(tx, name);
  const row = await findLock(tx, name);
  invariant(row !== undefined, `lock ${name} was just made`);
  return row;
}

async function createLock(tx: Transaction, name: string): Promise<void> {
  await tx.run(
    sql`INSERT INTO locks (name, state, token) VALUES (${name}, 'free', 0) ON CONFLICT (name) DO NOTHING`,
  );
}

async function grant(tx: Transaction, request: LockRequest, row: LockRow): Promise<void> {
  const { name, holder, requestId, nowMs, ttlMs } = request;
  const changes = await tx.run(sql`
    UPDATE locks SET state = 'held', holder = ${holder}, request_id = ${requestId}, token = token + 1,
      expires_at = ${Math.round(nowMs + ttlMs)}, ttl_ms = ${Math.round(ttlMs)}
    WHERE name = ${name} AND token = ${Number(row.token)}
      AND (state IN (${join(sourcesOf(LOCK_LIFECYCLE, 'held'))}) OR expires_at <= ${nowMs})`);
  invariant(changes === 1, `${name} was free, or its time over`);
}

/** Whole milliseconds: TTLs are seconds with a fraction, and Postgres keeps no fraction in a BIGINT. */
async function setExpiry(
  tx: Transaction,
  row: LockRow,
  { expiresAtMs, ttlMs }: { readonly expiresAtMs: number | null; readonly ttlMs: number | null },
): Promise<void> {
  await tx.run(sql`
    UPDATE locks SET expires_at = ${wholeOrNull(expiresAtMs)}, ttl_ms = ${wholeOrNull(ttlMs)}
    WHERE name = ${row.name} AND state = 'held' AND token = ${Number(row.token)}`);
}

async function free(tx: Transaction, row: LockRow): Promise<void> {
  await tx.run(sql`
    UPDATE locks SET state = 'free', holder = NULL, request_id = NULL, expires_at = NULL
    WHERE name = ${row.name} AND token = ${Number(row.token)} AND state IN (${join(sourcesOf(LOCK_LIFECYCLE, 'free'))})`);
}

async function refuseEnded(tx: Transaction, name: string, requestId: string): Promise<void> {
  const outcome = await endOfRequest(tx, name, requestId);
  if (outcome !== undefined) throw requestEnded(name, requestId, outcome);
}

function requestEnded(name: string, requestId: string | null, outcome: string): CodedError {
  return new CodedError(
    'request_ended',
    `request ${requestId} for ${name} has ended (${outcome}): ask with another request_id`,
  );
}

function viewOf(row: LockRow): LockView {
  return {
    isSlot: slotOf(row.name) !== null,
    holder: row.holder,
    requestId: row.request_id,
    token: Number(row.token),
    expiresAtMs: numberOrNull(row.expires_at),
    ttlMs: numberOrNull(row.ttl_ms),
  };
}

function wholeOrNull(value: number | null): number | null {
  return value === null ? null : Math.round(value);
}
