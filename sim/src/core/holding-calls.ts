// JARVIS Core's calls for locks and leases, as those who hold some of their own use them: Reactor Core's broker and
// renewals, and strangers. They write beside the coordinator, which is told to look.
import { CodedError, type LeaseState, slotLockName } from '@jarvis/contracts';
import type { Core } from './core.ts';
import { HOST_ID } from './core.ts';
import { changeLease, renewLease, requestLease } from './leases.ts';
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

  requestLease(holder: string, needBytes: number): string {
    const { core, newId } = this.#options;
    const leaseId = newId('lease');
    const need = { host_id: HOST_ID, ram_bytes: needBytes, vram_bytes: {} };
    core.disk.commit((tx) => requestLease(tx, core.tables, { leaseId, holder, need }));
    core.post({ type: 'look' });
    return leaseId;
  }

  leaseState(leaseId: string): LeaseState {
    return this.#mustFind(leaseId).state;
  }

  /** Throws `lock_lost`. */
  renewLease(leaseId: string): true {
    const { core, wall, leaseTtlMs } = this.#options;
    this.#mustFind(leaseId);
    const renewed = core.disk.commit((tx) => renewLease(tx, core.tables, leaseId, wall() + leaseTtlMs));
    if (!renewed) throw new CodedError('lock_lost', `lease ${leaseId} is not granted any more`);
    return true;
  }

  releaseLease(leaseId: string): true {
    const { core } = this.#options;
    this.#mustFind(leaseId);
    core.disk.commit((tx) => changeLease(tx, core.tables, leaseId, { to: 'released', why: 'given back' }));
    core.post({ type: 'look' });
    return true;
  }

  #mustFind(leaseId: string): { readonly state: LeaseState } {
    const row = this.#options.core.tables.leases.get(leaseId);
    if (row === undefined) throw new CodedError('not_found', `there is no lease ${leaseId}`);
    return row;
  }
}
