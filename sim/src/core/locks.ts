// Named locks as JARVIS Core keeps them: a compare-and-set each, tokens that only grow, slots never freed by time alone.
import { CodedError } from '@jarvis/contracts';
import { decideLock, type LockView, mayRenewLock } from '@jarvis/policy';
import type { Transaction } from '../kernel/disk.ts';
import { type CoreTables, freeLock, type LockRow } from './tables.ts';

export interface LockRequest {
  readonly name: string;
  readonly holder: string;
  readonly requestId?: string;
  readonly nowMs: number;
  readonly ttlMs: number;
}

interface Held {
  readonly name: string;
  readonly holder: string;
  readonly token: number;
}

/** The token of the grant, or null when somebody else holds it. Throws `request_ended`. Who waits asks again: there is no line. */
export function acquireLock(tx: Transaction, tables: CoreTables, request: LockRequest): number | null {
  const { name, holder, nowMs, ttlMs, requestId = null } = request;
  const row = tables.locks.get(name) ?? newLock(tx, tables, name);
  if (requestId !== null && tables.endedLockRequests.has(requestId)) throw requestEnded(requestId);
  const decision = decideLock(viewOf(row), { holder, requestId, nowMs, ttlMs, inTurn: true });
  switch (decision.kind) {
    case 'grant':
      if (row.state === 'held') free(tx, tables, row, 'its time is over');
      tx.change(row, {
        state: 'held',
        holder,
        requestId,
        token: decision.token,
        expiresAtMs: nowMs + ttlMs,
        ttlMs,
      });
      tx.edge('slot lock', name, { from: 'free', to: 'held', why: `${holder}, token ${row.token}` });
      return decision.token;
    case 'repeat':
      tx.change(row, { expiresAtMs: nowMs + decision.ttlMs, ttlMs: decision.ttlMs });
      return decision.token;
    case 'held':
      tx.change(row, { expiresAtMs: decision.expiresAtMs });
      return null;
    case 'ended':
    case 'conflict':
      throw requestEnded(requestId);
  }
}

/** False when this token no longer holds it. A slot's holder is a job: it may renew late, as long as nobody took it. */
export function renewLock(
  tx: Transaction,
  tables: CoreTables,
  request: Held & Pick<LockRequest, 'nowMs' | 'ttlMs'>,
): boolean {
  const row = tables.locks.get(request.name);
  if (row === undefined || !holds(row, request)) return false;
  if (!mayRenewLock(viewOf(row), request, request.nowMs)) return false;
  tx.change(row, { expiresAtMs: request.nowMs + request.ttlMs });
  return true;
}

export function releaseLock(tx: Transaction, tables: CoreTables, held: Held): boolean {
  const row = tables.locks.get(held.name);
  if (row === undefined || !holds(row, held)) return false;
  free(tx, tables, row, `given back by ${held.holder}`);
  return true;
}

/** From now on the request holds nothing. */
export function cancelLockRequest(
  tx: Transaction,
  tables: CoreTables,
  name: string,
  requestId: string,
): void {
  endRequest(tx, tables, requestId);
  const row = tables.locks.get(name);
  if (row?.requestId === requestId) free(tx, tables, row, 'called off');
}

/** Frees all that a holder has; for holders that are confirmed to be gone. */
export function releaseLocksOf(tx: Transaction, tables: CoreTables, holder: string): void {
  for (const row of tables.locks.values())
    if (row.state === 'held' && row.holder === holder) free(tx, tables, row, `${holder} has it no more`);
}

function holds(row: LockRow, { holder, token }: Held): boolean {
  return row.state === 'held' && row.holder === holder && row.token === token;
}

function free(tx: Transaction, tables: CoreTables, row: LockRow, why: string): void {
  if (row.requestId !== null) endRequest(tx, tables, row.requestId);
  tx.change(row, { state: 'free', holder: null, requestId: null, expiresAtMs: null });
  tx.edge('slot lock', row.name, { from: 'held', to: 'free', why });
}

function newLock(tx: Transaction, tables: CoreTables, name: string): LockRow {
  if (name.startsWith('training/')) throw new CodedError('not_found', `there is no slot ${name}`);
  const row = freeLock(name, null);
  tx.insert(tables.locks, name, row);
  return row;
}

function endRequest(tx: Transaction, { endedLockRequests }: CoreTables, requestId: string): void {
  if (!endedLockRequests.has(requestId)) tx.insert(endedLockRequests, requestId, true);
}

function viewOf(row: LockRow): LockView {
  return { ...row, isSlot: row.slot !== null };
}

function requestEnded(requestId: string | null): CodedError {
  return new CodedError('request_ended', `request ${requestId} has ended`);
}
