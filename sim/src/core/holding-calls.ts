// JARVIS Core's calls for locks and leases, as those who hold some of their own use them: Reactor Core's broker and
// renewals, and strangers. They write beside the coordinator, which is told to look.
import { CodedError, type LeasePurpose, type LeaseState, LLM_HOLDER, slotLockName } from '@jarvis/contracts';
import type { Core } from './core.ts';
import { HOST_ID } from './core.ts';
import { changeLease, liveLeases, renewLease, requestLease } from './leases.ts';
import { acquireLock, cancelLockRequest, releaseLock, renewLock } from './locks.ts';

export interface HoldingCallsOptions {
  readonly core: Core;
  readonly newId: (prefix: string) => string;
  readonly wall: () => number;
  readonly lockTtlMs: number;
  readonly leaseTtlMs: number;
}

export interface Held {
  readonly name: string;
  readonly holder: string;
  readonly token: number;
}

export class HoldingCalls {
  readonly core: Core;
  readonly #options: HoldingCallsOptions;

  constructor(options: HoldingCallsOptions) {
    this.core = options.core;
    this.#options = options;
  }

  /** Throws `lock_held` and `request_ended`. */
  acquire(
    name: string,
    holder: string,
    asked: { readonly ttlMs?: number; readonly requestId?: string } = {},
  ): number {
    const { core, wall } = this.#options;
    const ttlMs = asked.ttlMs ?? this.#options.lockTtlMs;
    const token = core.disk.commit((tx) =>
      acquireLock(tx, core.tables, { ...asked, name, holder, nowMs: wall(), ttlMs }),
    );
    if (token === null) throw new CodedError('lock_held', `${name} is held by another`);
    core.post({ type: 'look' });
    return token;
  }

  acquireSlot(slot: number, holder: string): number {
    return this.acquire(slotLockName(slot), holder);
  }

  /** Throws `lock_lost`. */
  renew(held: Held, ttlMs = this.#options.lockTtlMs): true {
    const { core, wall } = this.#options;
    const renewed = core.disk.commit((tx) => renewLock(tx, core.tables, { ...held, nowMs: wall(), ttlMs }));
    if (!renewed) throw new CodedError('lock_lost', `${held.holder} does not hold ${held.name} any more`);
    return true;
  }

  release(held: Held): true {
    const { core } = this.#options;
    core.disk.commit((tx) => releaseLock(tx, core.tables, held));
    core.post({ type: 'look' });
    return true;
  }

  /** Whatever became of the request: from now on it holds nothing. */
  cancelLockRequest(name: string, requestId: string): true {
    const { core } = this.#options;
    core.disk.commit((tx) => cancelLockRequest(tx, core.tables, name, requestId));
    return true;
  }

  requestLease(holder: string, needBytes: number, purpose: LeasePurpose = 'training'): string {
    const { core, newId, wall, leaseTtlMs } = this.#options;
    const leaseId = newId('lease');
    const need = { host_id: HOST_ID, ram_bytes: needBytes, vram_bytes: {} };
    const expiresAtMs = wall() + leaseTtlMs;
    core.disk.commit((tx) => requestLease(tx, core.tables, { leaseId, holder, need, purpose, expiresAtMs }));
    core.post({ type: 'look' });
    return leaseId;
  }

  /** Asked again (an answer may have been lost), J-Prime gets the lease that it has. */
  requestServing(needBytes: number): string {
    const live = liveLeases(this.#options.core.tables).find((l) => l.holder === LLM_HOLDER);
    return live?.leaseId ?? this.requestLease(LLM_HOLDER, needBytes, 'serving');
  }

  leaseState(leaseId: string): LeaseState {
    return this.#mustFind(leaseId).state;
  }

  /** Answers whether it is wanted back. Throws `lock_lost`. */
  renewLease(leaseId: string): 'held' | 'reclaimed' {
    const { core, wall, leaseTtlMs } = this.#options;
    const lease = this.#mustFind(leaseId);
    const renewed = core.disk.commit((tx) => renewLease(tx, core.tables, leaseId, wall() + leaseTtlMs));
    if (!renewed) throw new CodedError('lock_lost', `lease ${leaseId} is not granted any more`);
    return lease.reclaimed ? 'reclaimed' : 'held';
  }

  releaseLease(leaseId: string): true {
    const { core } = this.#options;
    this.#mustFind(leaseId);
    core.disk.commit((tx) => changeLease(tx, core.tables, leaseId, { to: 'released', why: 'given back' }));
    core.post({ type: 'look' });
    return true;
  }

  #mustFind(leaseId: string): { readonly state: LeaseState; readonly reclaimed: boolean } {
    const row = this.#options.core.tables.leases.get(leaseId);
    if (row === undefined) throw new CodedError('not_found', `there is no lease ${leaseId}`);
    return row;
  }
}
