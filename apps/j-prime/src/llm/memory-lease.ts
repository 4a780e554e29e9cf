// Memory for the LLM, asked for like anybody's: a lease of JARVIS Core, renewed until what was loaded is measured as ours.
//
//   ask -> (waits: polled, renewed) -> granted -> load -> measured -> given back
//      \-> JARVIS Core away: what the machine has free, when nothing is lent (the standing allowance)
import {
  CodedError,
  isCodedError,
  type Lease,
  leaseSchema,
  leasesSchema,
  LLM_HOLDER,
} from '@jarvis/contracts';
import type { Clock, Logger, ServiceClient } from '@jarvis/runtime';

const POLL_INTERVAL_MS = 100;
/** JARVIS Core restarts in less; whoever is away for longer decides nothing. */
const CORE_AWAY_MS = 2_000;
const CALL_TIMEOUT_MS = 2_000;
/** A lease that cannot be given back ends with its time to live. */
const RELEASE_TRIES_MAX = 3;
const RELEASE_PAUSE_MS = 200;
/** Trainings take minutes at the least; nobody needs to ask every second. */
export const RETRY_AFTER_MEMORY_SECONDS = 30;

export interface MemoryAskOptions {
  readonly core: ServiceClient;
  /** Whether memory is given away for a training. */
  readonly lent: () => boolean;
  /** What the machine has free now. */
  readonly availableBytes: () => Promise<number>;
  readonly safetyBytes: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface Ask {
  readonly needBytes: number;
  readonly why: 'request' | 'restore';
  /** Not wanted any more: what was asked for is withdrawn. */
  readonly signal: AbortSignal;
  /** Why it still waits. */
  readonly onWaiting: (reason: string) => void;
}

export interface Grant {
  /** For a person. */
  readonly reason: string;
  /** Never rejects. */
  release(): Promise<void>;
}

/** What the manager of the LLM server needs of this file. */
export interface Memory {
  /** @throws {CodedError} `llm_unavailable`: refused, or called off */
  ask(ask: Ask): Promise<Grant>;
}

export class MemoryLease implements Memory {
  readonly #options: MemoryAskOptions;

  constructor(options: MemoryAskOptions) {
    this.#options = options;
  }

  async ask(ask: Ask): Promise<Grant> {
    let lease: Lease;
    try {
      lease = await this.#request(ask);
    } catch (error) {
      if (isCodedError(error, 'service_unavailable')) return this.#allowance(ask);
      throw unavailable(`JARVIS Core gives it no memory: ${(error as Error).message}`);
    }
    const held = new HeldLease(this.#options, lease);
    try {
      await this.#untilGranted(held, ask);
      return held;
    } catch (error) {
      await held.release();
      if (error instanceof CoreAway) return this.#allowance(ask);
      throw error;
    }
  }

  /** One that a J-Prime before this one left behind, for another need, goes first. */
  async #request(ask: Ask): Promise<Lease> {
    try {
      return await this.#post(ask);
    } catch (error) {
      if (!isCodedError(error, 'job_conflict')) throw error;
    }
    const { core } = this.#options;
    const { leases } = await core.get('/api/leases', leasesSchema, CALL);
    for (const lease of leases.filter((l) => l.holder === LLM_HOLDER && isLive(l)))
      await core.delete(pathOf(lease.lease_id), leaseSchema, CALL);
    return this.#post(ask);
  }

  #post({ needBytes, why }: Ask): Promise<Lease> {
    const need = { ram_bytes: needBytes, vram_bytes: {} };
    const body = { holder: LLM_HOLDER, model_type: 'llm', purpose: 'serving', need, why };
    return this.#options.core.post('/api/leases', body, leaseSchema, CALL);
  }

  async #untilGranted(held: HeldLease, { signal, onWaiting }: Ask): Promise<void> {
    const { core, clock } = this.#options;
    let { lease } = held;
    let answeredMs = clock.monotonic();
    for (;;) {
      if (signal.aborted) throw unavailable('its memory is not asked for any more');
      if (lease.state === 'granted') return;
      if (!isLive(lease)) throw unavailable(`there is no memory for it: ${lease.reason}`);
      onWaiting(lease.reason);
      await clock.sleep(POLL_INTERVAL_MS, signal);
      if (signal.aborted) continue;
      try {
        lease = await core.get(pathOf(lease.lease_id), leaseSchema, CALL);
        answeredMs = clock.monotonic();
      } catch (error) {
        if (!isCodedError(error, 'service_unavailable')) throw unavailable((error as Error).message);
        if (clock.monotonic() - answeredMs > CORE_AWAY_MS) throw new CoreAway();
      }
    }
  }

  /** Without the allocator: only what surely is free, and nothing of what a training may be about to take. */
  async #allowance({ needBytes }: Ask): Promise<Grant> {
    const { lent, availableBytes, safetyBytes } = this.#options;
    const away = 'JARVIS Core, which gives out memory, is away';
    if (lent()) throw unavailable(`${away}, and memory is lent for a training`);
    const available = await availableBytes();
    const wanted = needBytes + safetyBytes;
    if (available < wanted)
      throw unavailable(`${away}, and of the ${wanted} bytes that it takes ${available} are free`);
    return {
      reason: `${away}; ${available} bytes are free, and it needs ${needBytes}`,
      release: async () => {},
    };
  }
}

class CoreAway extends Error {}

const CALL = { once: true, timeoutMs: CALL_TIMEOUT_MS } as const;

/** Renewed from the moment it is asked for until it is given back. */
class HeldLease implements Grant {
  readonly #options: MemoryAskOptions;
  readonly lease: Lease;
  readonly #over = new AbortController();
  readonly #renewing: Promise<void>;

  constructor(options: MemoryAskOptions, lease: Lease) {
    this.#options = options;
    this.lease = lease;
    this.#renewing = this.#renew();
  }

  get reason(): string {
    return `granted with ${this.lease.lease_id}`;
  }

  async release(): Promise<void> {
    const { core, clock, logger } = this.#options;
    this.#over.abort();
    await this.#renewing;
    for (let tries = 1; ; tries += 1) {
      try {
        await core.delete(pathOf(this.lease.lease_id), leaseSchema, CALL);
        return;
      } catch (error) {
        const isFinal = !isCodedError(error, 'service_unavailable');
        if (isFinal || tries === RELEASE_TRIES_MAX) {
          logger.warn(
            { err: error, lease_id: this.lease.lease_id },
            'cannot give a lease back; it will expire',
          );
          return;
        }
      }
      await clock.sleep(RELEASE_PAUSE_MS);
    }
  }

  async #renew(): Promise<void> {
    const { core, clock, logger } = this.#options;
    const { lease_id: id, ttl_seconds: ttl } = this.lease;
    for (;;) {
      await clock.sleep((ttl * 1000) / 3, this.#over.signal);
      if (this.#over.signal.aborted) return;
      await core.post(`${pathOf(id)}/renew`, {}, leaseSchema, CALL).catch((error: unknown) => {
        logger.warn({ err: error, lease_id: id }, 'could not renew the lease of the LLM');
      });
    }
  }
}

function pathOf(leaseId: string): string {
  return `/api/leases/${encodeURIComponent(leaseId)}`;
}

function isLive({ state }: Lease): boolean {
  return state === 'requested' || state === 'draining' || state === 'granted';
}

export function unavailable(reason: string, retryAfterSeconds = RETRY_AFTER_MEMORY_SECONDS): CodedError {
  return new CodedError('llm_unavailable', reason, { retry_after_seconds: retryAfterSeconds });
}
