// Named locks as JARVIS Core keeps them: a compare-and-set each, tokens that only grow, slots never freed by time alone.
import { CodedError } from '@jarvis/contracts';
import type { Transaction } from '../kernel/disk.ts';
import type { CoreTables, LockRow } from './tables.ts';

export interface LockRequest {
  readonly name: string;
  readonly holder: string;
  readonly nowMs: number;
  readonly ttlMs: number;
}

/** The token of the grant, or null when somebody else holds it. The same holder asking again gets its token again. */
export function acquireLock(tx: Transaction, tables: CoreTables, request: LockRequest): number | null {
  const { name, holder, nowMs, ttlMs } = request;
  const row = tables.locks.get(name) ?? newLock(tx, tables, name);
  const expiresAtMs = nowMs + ttlMs;
  if (row.state === 'held' && row.holder === holder) {
    tx.change(row, { expiresAtMs });
    return row.token;
  }
  if (row.state === 'held') {
    if (row.slot !== null || (row.expiresAtMs ?? 0) > nowMs) return null;
    free(tx, row, 'its time is over');
  }
  tx.change(row, { state: 'held', holder, token: row.token + 1, expiresAtMs });
  tx.edge('slot lock', name, { from: 'free', to: 'held', why: `${holder}, token ${row.token}` });
  return row.token;
}

/** False when this token no longer holds it. A slot's holder is a job: it may renew late, as long as nobody took it. */
export function renewLock(
  tx: Transaction,
  tables: CoreTables,
  request: LockRequest & { readonly token: number },
): boolean {
  const row = tables.locks.get(request.name);
  if (row === undefined || !holds(row, request.holder, request.token)) return false;
  if (row.slot === null && (row.expiresAtMs ?? 0) <= request.nowMs) return false;
  tx.change(row, { expiresAtMs: request.nowMs + request.ttlMs });
  return true;
}

export function releaseLock(
  tx: Transaction,
  tables: CoreTables,
  held: { readonly name: string; readonly holder: string; readonly token: number },
): boolean {
  const row = tables.locks.get(held.name);
  if (row === undefined || !holds(row, held.holder, held.token)) return false;
  free(tx, row, `given back by ${held.holder}`);
  return true;
}

/** Frees all that a holder has; for holders that are confirmed to be gone. */
export function releaseLocksOf(tx: Transaction, tables: CoreTables, holder: string): void {
  for (const row of tables.locks.values())
    if (row.state === 'held' && row.holder === holder) free(tx, row, `${holder} has it no more`);
}

function holds(row: LockRow, holder: string, token: number): boolean {
  return row.state === 'held' && row.holder === holder && row.token === token;
}

function free(tx: Transaction, row: LockRow, why: string): void {
  tx.change(row, { state: 'free', holder: null, expiresAtMs: null });
  tx.edge('slot lock', row.name, { from: 'held', to: 'free', why });
}

function newLock(tx: Transaction, tables: CoreTables, name: string): LockRow {
  if (name.startsWith('training/')) throw new CodedError('not_found', `there is no slot ${name}`);
  const row: LockRow = { name, slot: null, state: 'free', holder: null, token: 0, expiresAtMs: null };
  tx.insert(tables.locks, name, row);
  return row;
}
