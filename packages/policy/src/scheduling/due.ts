// Which of those who wait in the queue may take a slot now, and for each that may not: why, and what would let it go.
import type { ModelType } from '@jarvis/contracts';
import { type BreakerState, breakerState, type BreakerView } from './breaker.ts';
import { neverFits } from './fit.ts';
import type { JobView, SchedulingSnapshot } from './snapshot.ts';

export interface Due {
  /** In the order of the queue. */
  readonly jobs: readonly JobView[];
  /** Why a job of the queue may not go now, by its id. */
  readonly held: ReadonlyMap<string, string>;
}

export function dueOf(snapshot: SchedulingSnapshot, queue: readonly JobView[]): Due {
  const { memory, nowMs } = snapshot;
  const breakers = new Breakers(snapshot);
  const jobs: JobView[] = [];
  const held = new Map<string, string>();
  for (const job of queue) {
    // A job that is larger than the whole budget would take the slot and wait in it for ever.
    const reason =
      snapshot.hold?.reason ?? neverFits(job.need, memory) ?? tooEarly(job, nowMs) ?? breakers.hold(job);
    if (reason === null) jobs.push(job);
    else held.set(job.jobId, reason);
  }
  return { jobs, held };
}

function tooEarly({ notBeforeMs }: JobView, nowMs: number): string | null {
  if (notBeforeMs === null || notBeforeMs <= nowMs) return null;
  return `it is tried again at ${new Date(notBeforeMs).toISOString()}`;
}

/** The breakers at one moment; of a kind whose breaker is half open one job is let through. */
class Breakers {
  readonly #snapshot: SchedulingSnapshot;
  readonly #byKind: ReadonlyMap<ModelType, BreakerView>;
  /** The job that tries, of each kind whose breaker is half open. */
  readonly #trying = new Map<ModelType, string>();

  constructor(snapshot: SchedulingSnapshot) {
    this.#snapshot = snapshot;
    this.#byKind = new Map(snapshot.breakers.map((b) => [b.modelType, b]));
    for (const job of snapshot.jobs)
      if (job.state !== 'queued' && this.#state(job.modelType) === 'half_open')
        this.#trying.set(job.modelType, job.jobId);
  }

  hold(job: JobView): string | null {
    const breaker = this.#byKind.get(job.modelType);
    const state = this.#state(job.modelType);
    if (breaker === undefined || state === 'closed') return null;
    const what =
      breaker.cause === 'rollbacks' ? 'candidates in a row were rolled back' : 'jobs in a row failed';
    const why = `${breaker.failures} ${job.modelType} ${what} (the last: ${breaker.lastError})`;
    const byHand = `POST /api/breakers/${job.modelType}/reset lets all of them go`;
    if (state === 'open') {
      const until = new Date(breaker.openUntilMs ?? 0).toISOString();
      return `${why}; one is tried at ${until}; ${byHand}`;
    }
    const trying = this.#trying.get(job.modelType);
    if (trying !== undefined) return `${why}; it goes if ${trying}, which tries now, completes; ${byHand}`;
    this.#trying.set(job.modelType, job.jobId);
    return null;
  }

  #state(modelType: ModelType): BreakerState {
    const { nowMs, options } = this.#snapshot;
    return breakerState(this.#byKind.get(modelType), nowMs, options.breaker);
  }
}
