// Waiting for what the system does by itself: a job that appears, a version that is served, a rollout that ends.
import {
  type Deployment,
  DEPLOYMENT_LIFECYCLE,
  deploymentsSchema,
  isTerminal,
  type Job,
  type JobEvent,
  jobsSchema,
} from '@jarvis/contracts';
import type { Clock } from '@jarvis/runtime';
import { CommandError } from '../exit.ts';
import { followJob } from '../job-stream.ts';
import { predict } from './assistant.ts';
import type { PatientClient } from './calls.ts';

const POLL_MS = 100;
const JOB_APPEARS_MAX_MS = 60_000;
const TRAINING_MAX_MS = 600_000;
const DEPLOYMENT_APPEARS_MAX_MS = 60_000;
const ROLLOUT_MAX_MS = 300_000;
const SERVED_MAX_MS = 60_000;
const AWAY_MAX_MS = 60_000;

export interface Watcher {
  readonly core: PatientClient;
  readonly prime: PatientClient;
  readonly reactor: PatientClient;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Looks until `look` finds something. `what` ends the sentence "waited n s for ...". */
async function until<T>(
  { clock, signal }: Watcher,
  { what, limitMs }: { what: string; limitMs: number },
  look: () => Promise<T | undefined>,
): Promise<T> {
  const from = clock.monotonic();
  for (;;) {
    signal.throwIfAborted();
    const found = await look();
    if (found !== undefined) return found;
    if (clock.monotonic() - from > limitMs)
      throw new CommandError(`waited ${limitMs / 1000} s in vain for ${what}`);
    await clock.sleep(POLL_MS, signal);
  }
}

export async function listJobs({ core }: Pick<Watcher, 'core'>): Promise<readonly Job[]> {
  const { jobs } = await core.get('/api/jobs', jobsSchema);
  return jobs.toSorted((a, b) => (a.submitted_at < b.submitted_at ? -1 : 1));
}

/** The first job that is not among the `known`. */
export function nextJob(watcher: Watcher, known: ReadonlySet<string>): Promise<Job> {
  return until(
    watcher,
    { what: 'a training to be asked for by itself', limitMs: JOB_APPEARS_MAX_MS },
    async () => (await listJobs(watcher)).find((job) => !known.has(job.job_id)),
  );
}

/** Follows a job to its end; answers its version. Throws when it ends without one. */
export async function watchJob(
  watcher: Watcher,
  jobId: string,
  onEvent: (event: JobEvent) => void,
): Promise<string> {
  const { core, clock, signal } = watcher;
  const limit = AbortSignal.any([signal, AbortSignal.timeout(TRAINING_MAX_MS)]);
  let last: JobEvent | undefined;
  for await (const { event } of followJob({
    baseUrl: core.baseUrl,
    token: null,
    jobId,
    clock,
    signal: limit,
    awayMaxMs: AWAY_MAX_MS,
  })) {
    last = event;
    onEvent(event);
  }
  signal.throwIfAborted();
  if (last?.state === 'completed' && last.model_version !== null) return last.model_version;
  throw new CommandError(
    `${jobId} ended without a version: ${last?.state ?? 'no event'}, ${last?.reason ?? ''}`,
  );
}

/** Waits until J-Prime answers everybody with `version`: while a rollout is under way for it, chance decides who gets which. */
export async function untilServed(watcher: Watcher, version: string, text: string): Promise<void> {
  await until(watcher, { what: `${version} to be served`, limitMs: SERVED_MAX_MS }, async () => {
    const answer = await predict(watcher.prime, text);
    return answer.version === version && answer.rollout === null ? true : undefined;
  });
}

/** Follows the rollout of a version to its end, whatever that is. */
export async function watchRollout(
  watcher: Watcher,
  version: string,
  onChange: (deployment: Deployment) => void,
): Promise<Deployment> {
  const find = async (): Promise<Deployment | undefined> => {
    const { deployments } = await watcher.reactor.get('/api/deployments', deploymentsSchema);
    return deployments.find((d) => d.model_version === version);
  };
  await until(watcher, { what: `the deployment of ${version}`, limitMs: DEPLOYMENT_APPEARS_MAX_MS }, find);
  return until(watcher, { what: `the rollout of ${version} to end`, limitMs: ROLLOUT_MAX_MS }, async () => {
    const deployment = await find();
    if (deployment === undefined) return undefined;
    onChange(deployment);
    return isTerminal(DEPLOYMENT_LIFECYCLE, deployment.state) ? deployment : undefined;
  });
}
