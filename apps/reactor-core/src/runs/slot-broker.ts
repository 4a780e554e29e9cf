// Slot and memory from JARVIS Core for runs that were started without a token: slot lock first, then the lease, given
// back in reverse. Also renews what live runs hold, whoever took it.
import {
  CodedError,
  isCodedError,
  type Lease,
  leaseSchema,
  lockGrantedSchema,
  lockReleasedSchema,
  locksSchema,
  type ModelType,
  type ResourceVector,
  slotLockName,
} from '@jarvis/contracts';
import type { Clock, Logger, ServiceClient } from '@jarvis/runtime';
import type { RunRow } from '../store/runs.ts';

/** How long a caller waits for memory before it is told to come back. */
const LEASE_WAIT_MS = 5_000;
const LEASE_POLL_MS = 100;
const RETRY_AFTER_SECONDS = 10;
const CALL_TIMEOUT_MS = 5_000;

export interface Borrowed {
  readonly slot: number;
  readonly token: number;
  readonly leaseId: string;
  readonly need: ResourceVector;
}

/** `reclaimed`: held, and asked back. */
export type Renewal = 'held' | 'reclaimed' | 'lost' | 'unknown';

export interface SlotBrokerOptions {
  readonly core: ServiceClient;
  readonly slots: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

type Held = Pick<RunRow, 'job_id' | 'slot' | 'token'> & { readonly lease_id: string | null };

export class SlotBroker {
  readonly #options: SlotBrokerOptions;

  constructor(options: SlotBrokerOptions) {
    this.#options = options;
  }

  /** Throws `slot_busy`, `memory_unavailable`, or `service_unavailable` when JARVIS Core is away. Keeps nothing then. */
  async borrow(jobId: string, modelType: ModelType): Promise<Borrowed> {
    const { slot, token } = await this.#acquireSlot(jobId);
    let lease: Lease | null = null;
    try {
      lease = await this.#options.core.post(
        '/api/leases',
        { holder: jobId, model_type: modelType, why: `training of ${modelType} started at Reactor Core` },
        leaseSchema,
        { once: true },
      );
      const granted = await this.#untilGranted(lease);
      return { slot, token, leaseId: granted.lease_id, need: granted.need };
    } catch (error) {
      await this.giveBack({ job_id: jobId, slot, token, lease_id: lease?.lease_id ?? null });
      throw error;
    }
  }

  /** Lease first, then slot; true when both are back, or were no longer held. */
  async giveBack({ job_id, slot, token, lease_id }: Held): Promise<boolean> {
    const { core } = this.#options;
    const how = { once: true, timeoutMs: CALL_TIMEOUT_MS };
    const isBack = async (call: Promise<unknown>): Promise<boolean> =>
      call.then(
        () => true,
        (error: unknown) =>
          isCodedError(error) && error.code !== 'service_unavailable' && error.code !== 'internal',
      );
    const leaseBack =
      lease_id === null ||
      (await isBack(core.delete(`/api/leases/${encodeURIComponent(lease_id)}`, leaseSchema, how)));
    if (!leaseBack) return false;
    const path = `/api/locks/${encodeURIComponent(slotLockName(slot))}/release`;
    return isBack(core.post(path, { holder: job_id, token }, lockReleasedSchema, how));
  }

  /** `unknown` while JARVIS Core is away: the run goes on. */
  async renew({ job_id, slot, token, lease_id }: Held): Promise<Renewal> {
    const { core, logger } = this.#options;
    const how = { once: true, timeoutMs: CALL_TIMEOUT_MS };
    try {
      const path = `/api/locks/${encodeURIComponent(slotLockName(slot))}/renew`;
      await core.post(path, { holder: job_id, token }, lockGrantedSchema, how);
    } catch (error) {
      if (isCodedError(error, 'lock_lost')) return 'lost';
      logger.debug({ job_id, err: error }, 'the slot could not be renewed');
      return 'unknown';
    }
    if (lease_id === null) return 'held';
    const lease = await core
      .post(`/api/leases/${encodeURIComponent(lease_id)}/renew`, {}, leaseSchema, how)
      .catch((error: unknown) => {
        logger.warn({ job_id, lease_id, err: error }, 'the lease could not be renewed');
        return null;
      });
    return lease?.reclaim_requested == null ? 'held' : 'reclaimed';
  }

  async #acquireSlot(jobId: string): Promise<{ slot: number; token: number }> {
    let holder: string | undefined;
    for (let slot = 0; slot < this.#options.slots; slot += 1) {
      const path = `/api/locks/${encodeURIComponent(slotLockName(slot))}/acquire`;
      try {
        const { token } = await this.#options.core.post(path, { holder: jobId }, lockGrantedSchema, {
          once: true,
        });
        return { slot, token };
      } catch (error) {
        if (!isCodedError(error, 'lock_held')) throw error;
        holder ??= error.details.active_job_id ?? (await this.#holderOf(slot));
      }
    }
    throw new CodedError('slot_busy', `every training slot is taken (${holder ?? 'another job'} trains)`, {
      retry_after_seconds: RETRY_AFTER_SECONDS,
      ...(holder === undefined ? {} : { active_job_id: holder }),
    });
  }

  async #holderOf(slot: number): Promise<string | undefined> {
    const { locks } = await this.#options.core.get('/api/locks', locksSchema, { once: true });
    return locks.find((lock) => lock.name === slotLockName(slot))?.holder ?? undefined;
  }

  async #untilGranted(asked: Lease): Promise<Lease> {
    const { core, clock } = this.#options;
    const deadline = clock.monotonic() + LEASE_WAIT_MS;
    let lease = asked;
    while ((lease.state === 'requested' || lease.state === 'draining') && clock.monotonic() < deadline) {
      await clock.sleep(LEASE_POLL_MS);
      lease = await core.get(`/api/leases/${encodeURIComponent(asked.lease_id)}`, leaseSchema, {
        once: true,
      });
    }
    if (lease.state === 'granted') return lease;
    throw new CodedError(
      'memory_unavailable',
      `there is no memory for it now: ${lease.reason || lease.state}`,
      {
        retry_after_seconds: RETRY_AFTER_SECONDS,
      },
    );
  }
}
