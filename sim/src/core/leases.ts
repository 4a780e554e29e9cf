// Memory leases as JARVIS Core keeps them; the lifecycle's table decides what may become of one.
import { isTerminal, LEASE_LIFECYCLE, type LeasePurpose, type LeaseState, mayGo } from '@jarvis/contracts';
import type { Transaction } from '../kernel/disk.ts';
import type { CoreTables, LeaseRow } from './tables.ts';

export interface LeaseChange {
  readonly to: LeaseState;
  readonly why: string;
  /** Set with a grant. */
  readonly expiresAtMs?: number;
}

/** An expired lease is not renewed: what its holder still has is found out first. */
const RENEWABLE: readonly LeaseState[] = ['requested', 'draining', 'granted'];

export function requestLease(
  tx: Transaction,
  tables: CoreTables,
  lease: Pick<LeaseRow, 'leaseId' | 'holder' | 'need'> & {
    readonly purpose?: LeasePurpose;
    /** How long it may wait without being renewed; unset for the jobs of the queue. */
    readonly expiresAtMs?: number;
  },
): void {
  const row: LeaseRow = {
    purpose: 'training',
    expiresAtMs: null,
    ...lease,
    state: 'requested',
    reclaimed: false,
  };
  tx.insert(tables.leases, lease.leaseId, row);
  tables.liveLeases.add(row);
}

/** False when the lifecycle does not allow it from where the lease is. */
export function changeLease(
  tx: Transaction,
  tables: CoreTables,
  leaseId: string,
  change: LeaseChange,
): boolean {
  const row = tables.leases.get(leaseId);
  if (row === undefined || !mayGo(LEASE_LIFECYCLE, row.state, change.to)) return false;
  const from = row.state;
  tx.change(row, {
    state: change.to,
    ...(change.expiresAtMs === undefined ? {} : { expiresAtMs: change.expiresAtMs }),
  });
  tx.edge('memory lease', leaseId, { from, to: change.to, why: `${row.holder}: ${change.why}` });
  return true;
}

/** Releases whatever this holder has been granted or waits for. */
export function releaseLeasesOf(tx: Transaction, tables: CoreTables, holder: string, why: string): void {
  for (const row of liveLeases(tables))
    if (row.holder === holder) changeLease(tx, tables, row.leaseId, { to: 'released', why });
}

/** Asks its holder to give it back; once. */
export function reclaimLease(tx: Transaction, tables: CoreTables, leaseId: string): boolean {
  const row = tables.leases.get(leaseId);
  if (row?.state !== 'granted' || row.reclaimed) return false;
  tx.change(row, { reclaimed: true });
  return true;
}

export function renewLease(
  tx: Transaction,
  tables: CoreTables,
  leaseId: string,
  expiresAtMs: number,
): boolean {
  const row = tables.leases.get(leaseId);
  if (row === undefined || !RENEWABLE.includes(row.state)) return false;
  tx.change(row, { expiresAtMs });
  return true;
}

/** Leases that have not ended, in the order in which they were asked for. */
export function liveLeases(tables: CoreTables): LeaseRow[] {
  const live: LeaseRow[] = [];
  for (const row of tables.liveLeases) {
    // One whose transaction was undone is no row any more.
    if (isTerminal(LEASE_LIFECYCLE, row.state) || tables.leases.get(row.leaseId) !== row)
      tables.liveLeases.delete(row);
    else live.push(row);
  }
  return live;
}
