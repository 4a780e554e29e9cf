// Slot and memory from JARVIS Core for runs that were started without a token; renewals of what live runs hold.
import { CodedError, type LeaseState, slotLockName } from '@jarvis/contracts';
import type { HoldingCalls } from '../core/holding-calls.ts';
import type { ReactorGround } from './ground.ts';

const LEASE_WAIT_MS = 5_000;
const LEASE_POLL_MS = 500;
const CALL_TIMEOUT_MS = 5_000;
const RETRY_AFTER_SECONDS = 10;

export interface Borrowed {
  readonly jobId: string;
  readonly slot: number;
  readonly token: number;
  readonly leaseId: string | null;
}

export class Broker {
  readonly #ground: ReactorGround;

  constructor(ground: ReactorGround) {
    this.#ground = ground;
  }

  /** Answers what was taken, or why nothing was: then nothing is kept. */
  borrow(jobId: string, needBytes: number, then: (borrowed: Borrowed | CodedError) => void): void {
    this.#acquire(jobId, 0, (taken) => {
      if (taken instanceof CodedError) return then(taken);
      const giveUp = (leaseId: string | null, error: CodedError): void =>
        this.giveBack({ ...taken, leaseId }, () => then(error));
      this.#call<string>(
        `lease for ${jobId}`,
        (core) => core.requestLease(jobId, needBytes),
        (leaseId) => {
          if (leaseId instanceof CodedError) return giveUp(null, leaseId);
          const untilMs = this.#ground.loop.nowMs + LEASE_WAIT_MS;
          this.#untilGranted(leaseId, untilMs, (error) =>
            error === null ? then({ ...taken, leaseId }) : giveUp(leaseId, error),
          );
        },
      );
    });
  }

  /** Lease first, then slot; true when both are back, or were no longer held. */
  giveBack(held: Borrowed, then: (isBack: boolean) => void): void {
    const { jobId, slot, token, leaseId } = held;
    const releaseSlot = (): void =>
      this.#call<true>(
        `give back slot ${slot}`,
        (core) => core.release({ name: slotLockName(slot), holder: jobId, token }),
        (answer) => then(isBack(answer)),
      );
    if (leaseId === null) return releaseSlot();
    this.#call<true>(
      `give back ${leaseId}`,
      (core) => core.releaseLease(leaseId),
      (answer) => {
        if (isBack(answer)) releaseSlot();
        else then(false);
      },
    );
  }

  /** `lost` when a newer token has the slot; while JARVIS Core is away the run goes on; `reclaimed`: held, and asked back. */
  renew(
    { jobId, slot, token, leaseId }: Borrowed,
    then: (renewal: 'held' | 'lost' | 'unknown' | 'reclaimed') => void,
  ): void {
    const held = { name: slotLockName(slot), holder: jobId, token };
    this.#call<true>(
      `renew slot ${slot}`,
      (core) => core.renew(held),
      (answer) => {
        if (answer instanceof CodedError) return then(answer.code === 'lock_lost' ? 'lost' : 'unknown');
        if (leaseId === null) return then('held');
        this.#call<'held' | 'reclaimed'>(
          `renew ${leaseId}`,
          (core) => core.renewLease(leaseId),
          (renewal) => then(renewal instanceof CodedError ? 'held' : renewal),
        );
      },
    );
  }

  #acquire(jobId: string, slot: number, then: (taken: Borrowed | CodedError) => void): void {
    if (slot >= this.#ground.scenario.slots)
      return then(
        new CodedError('slot_busy', 'every training slot is taken', {
          retry_after_seconds: RETRY_AFTER_SECONDS,
        }),
      );
    this.#call<number>(
      `slot ${slot} for ${jobId}`,
      (core) => core.acquireSlot(slot, jobId),
      (token) => {
        if (!(token instanceof CodedError)) return then({ jobId, slot, token, leaseId: null });
        if (token.code !== 'lock_held') return then(token);
        this.#acquire(jobId, slot + 1, then);
      },
    );
  }

  #untilGranted(leaseId: string, untilMs: number, then: (error: CodedError | null) => void): void {
    const { process, loop } = this.#ground;
    this.#call<LeaseState>(
      `state of ${leaseId}`,
      (core) => core.leaseState(leaseId),
      (state) => {
        if (state instanceof CodedError) return then(state);
        if (state === 'granted') return then(null);
        const waits = state === 'requested' || state === 'draining';
        if (waits && loop.nowMs < untilMs)
          return process.after(LEASE_POLL_MS, () => this.#untilGranted(leaseId, untilMs, then));
        const details = { retry_after_seconds: RETRY_AFTER_SECONDS };
        then(new CodedError('memory_unavailable', `there is no memory for it now: ${state}`, details));
      },
    );
  }

  #call<A>(what: string, serve: (core: HoldingCalls) => A, done: (answer: A | CodedError) => void): void {
    const { network, process } = this.#ground;
    const core = this.#ground.core();
    network.call<A>({
      what,
      from: process,
      to: core.core.process,
      timeoutMs: CALL_TIMEOUT_MS,
      serve: (reply) => reply(serve(core)),
      done,
    });
  }
}

function isBack(answer: true | CodedError): boolean {
  return answer === true || (answer.code !== 'service_unavailable' && answer.code !== 'storage_full');
}
