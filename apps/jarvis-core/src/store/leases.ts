// Memory leases: asked for, granted on measured memory by the coordinator, renewed by their holder, given back.
import {
  LEASE_LIFECYCLE,
  type LeasePurpose,
  type LeaseState,
  type ResourceVector,
  sourcesOf,
} from '@jarvis/contracts';
import { type Database, type EventLog, join, sql, type Transaction } from '@jarvis/store';
import { isoOf } from '@jarvis/runtime';
import type { LeaseRow } from './rows.ts';

/** An expired lease is not renewed: its holder was silent, and what it holds is found out first. */
const RENEWABLE: readonly LeaseState[] = ['requested', 'draining', 'granted'];

export function leaseStream(leaseId: string): string {
  return `lease/${leaseId}`;
}

export interface LeaseChange {
  readonly leaseId: string;
  readonly to: LeaseState;
  readonly reason: string;
  readonly nowMs: number;
  /** Set with a grant. */
  readonly ttlMs?: number;
}

export class LeaseTable {
  readonly #events: EventLog;

  constructor(events: EventLog) {
    this.#events = events;
  }

  async request(
    tx: Transaction,
    lease: {
      leaseId: string;
      holder: string;
      purpose?: LeasePurpose;
      need: Omit<ResourceVector, 'host_id'>;
      reason: string;
      nowMs: number;
      /** How long it may wait without being renewed; none for the jobs of the queue. */
      ttlMs?: number;
    },
  ): Promise<void> {
    await tx.run(sql`
      INSERT INTO leases (lease_id, holder, purpose, state, need_ram, need_vram, reason, requested_at, expires_at)
      VALUES (${lease.leaseId}, ${lease.holder}, ${lease.purpose ?? 'training'}, 'requested', ${lease.need.ram_bytes}, ${JSON.stringify(lease.need.vram_bytes)}, ${lease.reason}, ${lease.nowMs},
        ${lease.ttlMs === undefined ? null : lease.nowMs + lease.ttlMs})`);
    await this.#tell(tx, lease.leaseId, 'requested', lease);
  }

  /** False when the lifecycle does not allow it from where the lease is. */
  async change(tx: Transaction, change: LeaseChange): Promise<boolean> {
    const { leaseId, to, reason, nowMs } = change;
    const granted = to === 'granted' && change.ttlMs !== undefined;
    const changes = await tx.run(sql`
      UPDATE leases SET state = ${to}, reason = ${reason},
        granted_at = ${granted ? sql`${nowMs}` : sql`granted_at`}, expires_at = ${granted ? sql`${Math.round(nowMs + (change.ttlMs ?? 0))}` : sql`expires_at`}
      WHERE lease_id = ${leaseId} AND state IN (${join(sourcesOf(LEASE_LIFECYCLE, to))})`);
    if (changes === 1) await this.#tell(tx, leaseId, to, change);
    return changes === 1;
  }

  /** Releases whatever this holder has been granted or waits for. */
  async releaseOf(tx: Transaction, holder: string, reason: string, nowMs: number): Promise<void> {
    const held = await tx.all<LeaseRow>(
      sql`SELECT * FROM leases WHERE holder = ${holder} AND state IN (${join(sourcesOf(LEASE_LIFECYCLE, 'released'))})`,
    );
    for (const lease of held)
      await this.change(tx, { leaseId: lease.lease_id, to: 'released', reason, nowMs });
  }

  /** Asks its holder to give it back: told on its stream, and with each renewal. Once. */
  async reclaim(tx: Transaction, leaseId: string, reason: string, nowMs: number): Promise<boolean> {
    const changes = await tx.run(
      sql`UPDATE leases SET reclaim = ${reason} WHERE lease_id = ${leaseId} AND state = 'granted' AND reclaim IS NULL`,
    );
    if (changes === 1)
      await this.#events.append(tx, {
        stream: leaseStream(leaseId),
        type: 'reclaim_requested',
        data: { lease_id: leaseId, state: 'granted', reason },
        at: isoOf(nowMs),
      });
    return changes === 1;
  }

  /** Says why it waits. No event: nothing has happened to it. */
  async explain(tx: Transaction, leaseId: string, reason: string): Promise<void> {
    await tx.run(
      sql`UPDATE leases SET reason = ${reason} WHERE lease_id = ${leaseId} AND state IN ('requested', 'draining')`,
    );
  }

  /** The lease that a holder waits for or has: one at a time, so that its memory is counted once and whole. */
  async liveOf(tx: Transaction, holder: string): Promise<LeaseRow | undefined> {
    return tx.get<LeaseRow>(
      sql`SELECT * FROM leases WHERE holder = ${holder} AND state IN (${join(sourcesOf(LEASE_LIFECYCLE, 'released'))}) LIMIT 1`,
    );
  }

  async renew(tx: Transaction, leaseId: string, nowMs: number, ttlMs: number): Promise<boolean> {
    const changes = await tx.run(
      sql`UPDATE leases SET expires_at = ${Math.round(nowMs + ttlMs)} WHERE lease_id = ${leaseId} AND state IN (${join(RENEWABLE)})`,
    );
    return changes === 1;
  }

  async #tell(
    tx: Transaction,
    leaseId: string,
    state: LeaseState,
    about: { reason: string; nowMs: number },
  ): Promise<void> {
    const type = state === 'expired_unconfirmed' ? 'expired' : state;
    await this.#events.append(tx, {
      stream: leaseStream(leaseId),
      type,
      data: { lease_id: leaseId, state, reason: about.reason },
      at: isoOf(about.nowMs),
    });
  }
}

export async function findLease(db: Database, leaseId: string): Promise<LeaseRow | undefined> {
  return db.get<LeaseRow>(sql`SELECT * FROM leases WHERE lease_id = ${leaseId}`);
}

const RECENT_LEASES_MAX = 200;

export async function listLeases(db: Database): Promise<LeaseRow[]> {
  return db.all<LeaseRow>(sql`SELECT * FROM leases ORDER BY requested_at DESC LIMIT ${RECENT_LEASES_MAX}`);
}
