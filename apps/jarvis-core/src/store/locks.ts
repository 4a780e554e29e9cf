// Named locks: grant, renew and release are one compare-and-set each; tokens of a name only grow, for ever.
import { CodedError, type Lock, LOCK_LIFECYCLE, slotLockName, sourcesOf } from '@jarvis/contracts';
import { type Database, join, sql, type Transaction } from '@jarvis/store';
import { type LockRow, lockOf } from './rows.ts';

const SLOT_NAME = /^training\/(\d+)$/;

export interface LockRequest {
  readonly name: string;
  readonly holder: string;
  readonly nowMs: number;
  readonly ttlMs: number;
}

/** Whole milliseconds: TTLs are seconds with a fraction, and Postgres keeps no fraction in a BIGINT. */
function expiryMs({ nowMs, ttlMs }: Pick<LockRequest, 'nowMs' | 'ttlMs'>): number {
  return Math.round(nowMs + ttlMs);
}

/** The number of a training slot's lock, null for other names. Slots are freed by the coordinator, never by time alone. */
export function slotOf(name: string): number | null {
  const match = SLOT_NAME.exec(name);
  return match === null ? null : Number(match[1]);
}

export async function createSlotLocks(tx: Transaction, slots: number): Promise<void> {
  for (let slot = 0; slot < slots; slot += 1) {
    await tx.run(
      sql`INSERT INTO locks (name, state, token) VALUES (${slotLockName(slot)}, 'free', 0) ON CONFLICT (name) DO NOTHING`,
    );
  }
}

/** The token of the grant, or null when somebody else holds it. The same holder asking again gets its token again. */
export async function acquireLock(tx: Transaction, request: LockRequest): Promise<number | null> {
  const { name, holder, nowMs, ttlMs } = request;
  const row = await tx.get<LockRow>(sql`SELECT * FROM locks WHERE name = ${name}`);
  if (row === undefined) {
    if (slotOf(name) !== null)
      throw new CodedError('not_found', `there is no slot ${name} (MAX_CONCURRENT_TRAINING_JOBS)`);
    await tx.run(sql`INSERT INTO locks (name, state, token) VALUES (${name}, 'free', 0)`);
  } else if (row.state === 'held' && row.holder === holder) {
    await tx.run(
      sql`UPDATE locks SET expires_at = ${expiryMs(request)}, ttl_ms = ${Math.round(ttlMs)} WHERE name = ${name}`,
    );
    return Number(row.token);
  } else if (row.state === 'held' && (slotOf(name) !== null || Number(row.expires_at) > nowMs)) {
    return null;
  }
  const granted = await tx.get<{ token: number | string }>(sql`
    UPDATE locks SET state = 'held', holder = ${holder}, token = token + 1, expires_at = ${expiryMs(request)}, ttl_ms = ${Math.round(ttlMs)}
    WHERE name = ${name} AND (state IN (${join(sourcesOf(LOCK_LIFECYCLE, 'held'))}) OR expires_at <= ${nowMs}) RETURNING token`);
  return granted === undefined ? null : Number(granted.token);
}

/**
 * Holds on for as long as was asked for with the grant (`request.ttlMs` where that is not known); answers for how many
 * ms, null when this token no longer holds it. A slot's holder is a job: it may renew late, as long as nobody took it.
 */
export async function renewLock(
  tx: Transaction,
  request: LockRequest & { readonly token: number },
): Promise<number | null> {
  const { name, holder, token } = request;
  const nowMs = Math.round(request.nowMs);
  const ttlMs = Math.round(request.ttlMs);
  const late = slotOf(name) !== null;
  const renewed = await tx.get<{ ttl_ms: number | string }>(sql`
    UPDATE locks SET ttl_ms = COALESCE(ttl_ms, ${ttlMs}), expires_at = ${nowMs} + COALESCE(ttl_ms, ${ttlMs})
    WHERE name = ${name} AND state = 'held' AND holder = ${holder} AND token = ${token} AND (${late ? 1 : 0} = 1 OR expires_at > ${nowMs})
    RETURNING ttl_ms`);
  return renewed === undefined ? null : Number(renewed.ttl_ms);
}

export async function releaseLock(
  tx: Transaction,
  name: string,
  holder: string,
  token: number,
): Promise<boolean> {
  const changes = await tx.run(sql`
    UPDATE locks SET state = 'free', holder = NULL, expires_at = NULL
    WHERE name = ${name} AND holder = ${holder} AND token = ${token} AND state IN (${join(sourcesOf(LOCK_LIFECYCLE, 'free'))})`);
  return changes === 1;
}

/** Frees all that a holder has; for holders that are confirmed to be gone. */
export async function releaseLocksOf(tx: Transaction, holder: string): Promise<void> {
  await tx.run(
    sql`UPDATE locks SET state = 'free', holder = NULL, expires_at = NULL WHERE holder = ${holder} AND state = 'held'`,
  );
}

export async function listLocks(db: Database): Promise<Lock[]> {
  return (await db.all<LockRow>(sql`SELECT * FROM locks ORDER BY name`)).map(lockOf);
}
