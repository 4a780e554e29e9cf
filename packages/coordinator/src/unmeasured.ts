// J-Prime gives the lease of its LLM back when that is loaded: from then on what is measured counts. Until a measurement
// has come that was taken after that, here its lease still counts: else that memory would be given away once more.
import { isReserving, type LeaseView } from '@jarvis/policy';

interface GivenBack {
  readonly lease: LeaseView;
  atMs: number;
}

export class Unmeasured {
  /** Leases of J-Prime that reserved memory when they were last seen. */
  readonly #seen = new Map<string, LeaseView>();
  readonly #givenBack = new Map<string, GivenBack>();

  /** A grant that may be given back before all leases are read again. */
  granted(lease: LeaseView): void {
    if (lease.purpose === 'serving') this.#seen.set(lease.leaseId, lease);
  }

  /**
   * @param leases all that have not ended
   * @param memoryAtMs when the last measurement was told
   * @returns those that still count
   */
  of(leases: readonly LeaseView[], memoryAtMs: number, nowMs: number): LeaseView[] {
    const live = new Set(leases.map((l) => l.leaseId));
    for (const [leaseId, lease] of this.#seen) {
      if (live.has(leaseId)) continue;
      this.#seen.delete(leaseId);
      this.#givenBack.set(leaseId, { lease, atMs: nowMs });
    }
    for (const lease of leases.filter(isReserving)) this.granted(lease);
    for (const [leaseId, given] of this.#givenBack) {
      // A clock that was set back must not keep it for as long as that.
      given.atMs = Math.min(given.atMs, nowMs);
      if (memoryAtMs > given.atMs) this.#givenBack.delete(leaseId);
    }
    return [...this.#givenBack.values()].map(({ lease }) => ({
      ...lease,
      state: 'granted',
      expiresAtMs: null,
    }));
  }
}
