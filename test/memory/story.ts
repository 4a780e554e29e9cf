// Trainings between bursts of requests on a machine on which LLM and trainer do not fit together; an account of both.
import type { Job, Lease, ModelVersion, PrimeResources } from '@jarvis/contracts';
import { until } from '@jarvis/testkit';
import { askMidTraining, type ToldMidTraining } from './asking-mid-training.ts';
import { ask, type Told } from './asking.ts';
import { hasEnded, JOB_LIMIT_MS, jobOf, storeExperiences, submit, untilEnded } from './jobs.ts';
import type { SmallMachine } from './small-machine.ts';

const BURST_REQUESTS = 8;
const LOOK_EVERY_MS = 50;
/** A request in the middle of each training, once it has done so many epochs. */
const ASKS_AT_EPOCH = 2;

export interface Account {
  readonly answered: number;
  /** Sent away with a time to come again. */
  readonly sentAway: number;
  /** Neither: what must not be. */
  readonly unanswered: readonly string[];
  readonly completed: number;
  readonly otherwise: readonly string[];
  /** Milliseconds, one for each grant. */
  readonly grantMs: readonly number[];
  /** From the submission of a job to its end, milliseconds. */
  readonly jobMs: readonly number[];
  /** From the submission to the first epoch. */
  readonly delayMs: readonly number[];
  /** Requests in mid-training that were answered. */
  readonly interrupted: readonly ToldMidTraining[];
  readonly attempts: number;
  readonly llmAwayMs: number;
  readonly ms: number;
  /** Of what each training made; all the same when none was disturbed. */
  readonly digests: ReadonlySet<string>;
}

export async function tell(
  machine: SmallMachine,
  trainings: number,
  say: (line: string) => void,
): Promise<Account> {
  const from = performance.now();
  const watch = watchMemory(machine);
  const happened = await happenings(machine, trainings, say).finally(watch.end);
  const { told, jobs } = happened;
  const memory = await watch.result();
  const bad = told.filter((t) => t.status !== 200 && !(t.status === 503 && t.retryAfter !== null));
  return {
    ...happened,
    answered: told.filter((t) => t.status === 200).length,
    sentAway: told.filter((t) => t.status === 503 && t.retryAfter !== null).length,
    unanswered: bad.map((t) => `${t.status} after ${Math.round(t.ms)} ms`),
    completed: jobs.filter((j) => j.state === 'completed').length,
    otherwise: jobs.filter((j) => j.state !== 'completed').map((j) => `${j.job_id} ${j.state}: ${j.reason}`),
    grantMs: memory.grantMs,
    attempts: jobs.reduce((sum, j) => sum + j.attempt, 0),
    llmAwayMs: memory.llmAwayMs,
    ms: performance.now() - from,
    digests: await digestsOf(machine),
  };
}

interface Happenings extends Pick<Account, 'interrupted' | 'jobMs' | 'delayMs'> {
  readonly told: readonly Told[];
  readonly jobs: readonly Job[];
}

async function happenings(
  machine: SmallMachine,
  trainings: number,
  say: (line: string) => void,
): Promise<Happenings> {
  await storeExperiences(machine);
  const told: Told[] = [await ask(machine)];
  const interrupted: ToldMidTraining[] = [];
  const jobs: Job[] = [];
  const delayMs: number[] = [];
  const jobMs: number[] = [];
  for (let i = 1; i <= trainings; i += 1) {
    told.push(...(await Promise.all(Array.from({ length: BURST_REQUESTS }, () => ask(machine)))));
    const submitted = performance.now();
    const jobId = `story-${i}`;
    await submit(machine, jobId);
    const first = await untilEpoch(machine, jobId, ASKS_AT_EPOCH);
    delayMs.push(first - submitted);
    const asked = await askMidTraining(machine, jobId);
    told.push(asked);
    if (asked.status === 200) interrupted.push(asked);
    jobs.push(await untilEnded(machine, jobId));
    jobMs.push(performance.now() - submitted);
    say(`${i} of ${trainings}: ${jobs.at(-1)?.state}, ${told.length} requests`);
  }
  return { told, interrupted, jobs, delayMs, jobMs };
}

/** Answers when it got there, or ended. */
async function untilEpoch(machine: SmallMachine, jobId: string, epoch: number): Promise<number> {
  await until(
    `${jobId} to train`,
    async () => {
      const job = await jobOf(machine, jobId);
      return job !== null && (job.epoch >= epoch || hasEnded(job));
    },
    JOB_LIMIT_MS,
  );
  return performance.now();
}

async function digestsOf(machine: SmallMachine): Promise<ReadonlySet<string>> {
  const answer = await machine.get<{ versions: ModelVersion[] }>(
    'reactor-core',
    '/api/models/vision/versions',
  );
  return new Set((answer?.versions ?? []).map((v) => v.files['hash']?.sha256 ?? 'none'));
}

interface MemoryWatch {
  end(this: void): void;
  /** Once it was ended. */
  result(): Promise<{ readonly grantMs: readonly number[]; readonly llmAwayMs: number }>;
}

/** Looks at leases and at the LLM often; what lies between two looks is as exact as the looks are often. */
function watchMemory(machine: SmallMachine): MemoryWatch {
  const seen = new Map<string, { askedMs: number; grantedMs: number | null }>();
  let llmAwayMs = 0;
  let wasReady = false;
  const ended = new AbortController();
  const look = async (): Promise<void> => {
    let lastMs = performance.now();
    while (!ended.signal.aborted) {
      const leases = await machine.get<{ leases: Lease[] }>('jarvis-core', '/api/leases');
      const prime = await machine.get<PrimeResources>('j-prime', '/api/resources');
      const nowMs = performance.now();
      for (const lease of leases?.leases ?? []) note(seen, lease, nowMs);
      const isReady = prime?.llm?.state === 'ready';
      wasReady ||= isReady;
      if (wasReady && !isReady) llmAwayMs += nowMs - lastMs;
      lastMs = nowMs;
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
  };
  const looking = look();
  return {
    end: () => ended.abort(),
    async result() {
      await looking;
      const grants = [...seen.values()].flatMap((l) =>
        l.grantedMs === null ? [] : [l.grantedMs - l.askedMs],
      );
      return { grantMs: grants, llmAwayMs };
    },
  };
}

function note(
  seen: Map<string, { askedMs: number; grantedMs: number | null }>,
  lease: Lease,
  nowMs: number,
): void {
  if (lease.purpose !== 'training') return;
  const known = seen.get(lease.lease_id) ?? { askedMs: nowMs, grantedMs: null };
  if (lease.granted_at !== null) known.grantedMs ??= nowMs;
  seen.set(lease.lease_id, known);
}
