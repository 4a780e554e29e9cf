// The coordinator's hands: makes the outside match what the state calls for. Each piece of work has a task of its own,
// started when it is called for and ended when it no longer is; results go back into the inbox as events.
import {
  CodedError,
  isCodedError,
  LAST_TRAINING_EVENTS,
  type MakeRoom,
  makeRoomSchema,
  type NegotiationPolicy,
  restoreResponseSchema,
  trainingCancelledSchema,
  trainingPreemptedSchema,
  trainingStartedSchema,
} from '@jarvis/contracts';
import type { CoordinatorEvent, Drain, ExternalWork, Performer, StoredJob } from '@jarvis/coordinator';
import { backoffMs } from '@jarvis/policy';
import {
  type Clock,
  isoOf,
  type Logger,
  type Meter,
  type Random,
  readSse,
  type ServiceClient,
} from '@jarvis/runtime';
import type { z } from 'zod';
import type { StartRequests } from './start-request.ts';

const RETRY_BASE_MS = 500;
const RETRY_MAX_MS = 15_000;
/** What fails here, a data set that cannot be written above all: then the job gives its slot back for a while. */
const OWN_TRIES_MAX = 5;
const OWN_RETRY_AFTER_MS = 30_000;
/** It is answered when the trainer has exited, which may checkpoint first. */
const END_TIMEOUT_MS = 120_000;
const DRAIN_POLL_MS = 250;
const DRAIN_AGAIN_MS = 2_000;
const DRAIN_TIME_MS = 300_000;

export interface OutsideOptions {
  readonly reactor: ServiceClient;
  readonly prime: ServiceClient | null;
  readonly policy: NegotiationPolicy;
  readonly token: string | null;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly meter: Meter;
  readonly startRequests: StartRequests;
  readonly post: (event: CoordinatorEvent) => void;
}

export class Outside implements Performer {
  readonly #options: OutsideOptions;
  readonly #tasks = new Map<string, { abort: AbortController; done: Promise<void> }>();
  /** True at first: an earlier process may have asked for room, and to restore what is there changes nothing. */
  #mayRestore = true;

  constructor(options: OutsideOptions) {
    this.#options = options;
  }

  perform(work: ExternalWork): void {
    const wanted = new Map<string, (signal: AbortSignal) => Promise<void>>();
    for (const job of work.start)
      wanted.set(`start ${job.jobId} ${job.token}`, (signal) => this.#start(job, signal));
    for (const job of work.follow) wanted.set(`follow ${job.jobId}`, (signal) => this.#follow(job, signal));
    for (const job of work.preempt)
      wanted.set(`preempt ${job.jobId} ${job.token}`, (signal) =>
        this.#end('preempt', trainingPreemptedSchema, job, signal),
      );
    for (const job of work.cancel)
      wanted.set(`cancel ${job.jobId}`, (signal) =>
        this.#end('cancel', trainingCancelledSchema, job, signal),
      );
    for (const drain of work.drain)
      wanted.set(`drain ${drain.lease.leaseId}`, (signal) => this.#drain(drain, signal));
    if (work.restore && this.#mayRestore) wanted.set('restore', (signal) => this.#restore(signal));
    if (work.drain.length > 0) this.#mayRestore = true;
    for (const [key, task] of this.#tasks) if (!wanted.has(key)) task.abort.abort();
    for (const [key, run] of wanted) if (!this.#tasks.has(key)) this.#begin(key, run);
  }

  async stop(): Promise<void> {
    const tasks = [...this.#tasks.values()];
    for (const task of tasks) task.abort.abort();
    await Promise.all(tasks.map((t) => t.done));
  }

  #begin(key: string, run: (signal: AbortSignal) => Promise<void>): void {
    const abort = new AbortController();
    const done = run(abort.signal)
      .catch((error: unknown) => this.#options.logger.error({ err: error, task: key }, 'work outside failed'))
      .finally(() => {
        this.#tasks.delete(key);
        // The state may call for it again; it is looked at once more.
        if (!abort.signal.aborted) this.#options.post({ type: 'look' });
      });
    this.#tasks.set(key, { abort, done });
  }

  /** Asks Reactor Core until it answers: it is idempotent, so that an answer that was lost does no harm. */
  async #start(job: StoredJob, signal: AbortSignal): Promise<void> {
    const { reactor, startRequests, post, logger } = this.#options;
    const token = job.token ?? 0;
    let ownFailures = 0;
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      try {
        const body = await startRequests.make(job);
        await reactor.post('/api/training/start', body, trainingStartedSchema, { once: true });
        post({ type: 'run_started', jobId: job.jobId, token });
        this.#noteWait(job);
        return;
      } catch (error) {
        if (!(error instanceof CodedError)) ownFailures += 1;
        const refusal = ownFailures >= OWN_TRIES_MAX ? ownRefusal(error) : refusalOf(error);
        if (refusal !== null) {
          post({ type: 'run_refused', jobId: job.jobId, token, ...refusal });
          return;
        }
        logger.warn({ job_id: job.jobId, err: error }, 'the run could not be started; trying again');
        await this.#pause(attempt, signal);
      }
    }
  }

  #noteWait({ attempt, modelType: kind, submittedAtMs }: StoredJob): void {
    const { meter, clock } = this.#options;
    if (attempt > 1) return;
    meter.observe('jarvis_job_queue_wait_seconds', { kind }, (clock.now() - submittedAtMs) / 1000);
  }

  async #follow(job: StoredJob, signal: AbortSignal): Promise<void> {
    const { reactor, token, post, logger } = this.#options;
    let cursor = job.runCursor;
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      try {
        const url = `${reactor.baseUrl}/api/training/stream/${encodeURIComponent(job.jobId)}`;
        for await (const received of readSse({ url, lastEventId: String(cursor), token, signal })) {
          cursor = Number(received.id);
          attempt = 0;
          post({
            type: 'run_event',
            event: {
              jobId: job.jobId,
              seq: cursor,
              event: received.event,
              data: received.data as Record<string, unknown>,
            },
          });
          if (LAST_TRAINING_EVENTS.includes(received.event)) return;
        }
      } catch (error) {
        if (isCodedError(error, 'not_found')) {
          const reason = 'Reactor Core does not know this run any more';
          post({
            type: 'run_event',
            event: { jobId: job.jobId, seq: cursor + 1, event: 'failed', data: { error: reason } },
          });
          return;
        }
        logger.debug({ job_id: job.jobId, err: error }, 'the stream of a run broke; reading on');
      }
      await this.#pause(attempt, signal);
    }
  }

  /** Asks until it is answered; the stream tells how the run ended. */
  async #end(
    how: 'cancel' | 'preempt',
    answer: z.ZodType,
    job: StoredJob,
    signal: AbortSignal,
  ): Promise<void> {
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      try {
        await this.#options.reactor.post(
          `/api/training/${how}/${encodeURIComponent(job.jobId)}`,
          {},
          answer,
          { once: true, timeoutMs: END_TIMEOUT_MS },
        );
        break;
      } catch (error) {
        if (isCodedError(error, 'already_ended') || isCodedError(error, 'not_found')) break;
        await this.#pause(attempt, signal);
      }
    }
    // Until the stream has told it, this task stands for the request that was made.
    await waitForAbort(signal);
  }

  /**
   * Asked again, under another id, for as long as it is called for: what is in use now may be idle later. What J-Prime
   * says is not trusted: the next measurement decides, and ends this task by granting or refusing.
   */
  async #drain(drain: Drain, signal: AbortSignal): Promise<void> {
    for (let asked = 1; !signal.aborted; asked += 1) {
      await this.#askForRoom(drain, `${drain.lease.leaseId}-${asked}`, signal);
      await this.#options.clock.sleep(DRAIN_AGAIN_MS, signal);
    }
  }

  async #askForRoom({ lease, bytes }: Drain, requestId: string, signal: AbortSignal): Promise<void> {
    const { prime, clock, logger, policy } = this.#options;
    if (prime === null) return;
    const request = {
      request_id: requestId,
      bytes,
      by: isoOf(clock.now() + DRAIN_TIME_MS),
      why: `memory for ${lease.holder}`,
      policy,
    };
    let answer: MakeRoom | null = null;
    for (let attempt = 0; !signal.aborted && answer === null; attempt += 1) {
      answer = await prime
        .post('/api/memory/make-room', request, makeRoomSchema, { once: true })
        .catch((error: unknown) => {
          logger.warn({ err: error, lease_id: lease.leaseId }, 'J-Prime could not be asked for room');
          return null;
        });
      if (answer === null) await this.#pause(attempt, signal);
    }
    while (!signal.aborted && answer?.state === 'draining') {
      await clock.sleep(DRAIN_POLL_MS, signal);
      answer = await prime
        .get(`/api/memory/make-room/${encodeURIComponent(requestId)}`, makeRoomSchema)
        .catch(() => answer);
    }
    if (answer === null) return;
    logger.info(
      { lease_id: lease.leaseId, state: answer.state, freed_bytes: answer.freed_bytes },
      `J-Prime: ${answer.reason}`,
    );
  }

  async #restore(signal: AbortSignal): Promise<void> {
    const { prime, logger } = this.#options;
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      try {
        await prime?.post('/api/memory/restore', {}, restoreResponseSchema, { once: true });
        break;
      } catch (error) {
        logger.debug({ err: error }, 'J-Prime could not be told to restore; trying again');
        await this.#pause(attempt, signal);
      }
    }
    if (!signal.aborted) this.#mayRestore = false;
  }

  async #pause(attempt: number, signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#options;
    await clock.sleep(
      RETRY_BASE_MS / 2 +
        backoffMs({ attempt, baseMs: RETRY_BASE_MS, maxMs: RETRY_MAX_MS, unit: random.unit() }),
      signal,
    );
  }
}

/** What would meet any other job as well. */
const BUSY: ReadonlySet<string> = new Set(['slot_busy', 'memory_unavailable', 'overloaded', 'storage_full']);

type Refusal = Pick<
  Extract<CoordinatorEvent, { type: 'run_refused' }>,
  'reason' | 'final' | 'busy' | 'retryAfterMs'
>;

/** What an answer of Reactor Core means for the job; null when there was no answer, and asking again is right. */
function refusalOf(error: unknown): Refusal | null {
  // Not of Reactor Core: the data set could not be written, say. What is in the way may go away.
  if (!(error instanceof CodedError)) return null;
  if (error.code === 'service_unavailable' || error.code === 'internal') return null;
  // It ended while this start was on its way: asked again, Reactor Core answers as for a run that is there, and its stream tells how.
  if (error.code === 'already_ended') return null;
  const retryAfterMs = (error.details.retry_after_seconds ?? 1) * 1000;
  const busy = BUSY.has(error.code);
  // A token may have become stale on its way; the next one is newer.
  return { reason: error.message, final: !busy && error.code !== 'stale_token', busy, retryAfterMs };
}

function ownRefusal(error: unknown): Refusal {
  const reason = `JARVIS Core cannot start it: ${(error as Error).message}`;
  return { reason, final: false, busy: false, retryAfterMs: OWN_RETRY_AFTER_MS };
}

function waitForAbort(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
