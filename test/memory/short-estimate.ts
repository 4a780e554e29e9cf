// Trainings that were said to take less than they do, on a machine on which an LLM server answers all the while.
//
//   half      takes twice what was said, all at once in its third epoch: the kernel ends it under its own limit, it is
//             given more, and goes on from its checkpoint
//   endless   takes more than the machine has: after three ends of that kind its model type is held back
import type { Budget, Job, Lease, ModelVersion, NegotiationPolicy } from '@jarvis/contracts';
import { until } from '@jarvis/testkit';
import { makeArena } from './arena.ts';
import { ask, type Told } from './asking.ts';
import { STEPS_PER_EPOCH } from './chain.ts';
import { EPOCHS, JOB_LIMIT_MS, jobOf, storeExperiences, submit, untilEnded } from './jobs.ts';
import { type Sizes, type SmallMachine, startSmallMachine } from './small-machine.ts';

const GB = 1024 ** 3;
const ASK_EVERY_MS = 150;
const JOB = 'short';
const STEPS = EPOCHS * STEPS_PER_EPOCH;
const STEPS_BEFORE_THE_LEAP = 2 * STEPS_PER_EPOCH;
const BREAKER_FAILURES = 3;

/** Small enough an LLM to stay beside the second attempt. */
const HALF: Sizes = { limit: 1_640, llm: 100, trainer: 60, leap: 560 };
/** With what Node takes for itself. */
const HALF_TAKES_GB = 0.68;
const ENDLESS: Sizes = { ...HALF, leap: 3_000 };
const ENDLESS_TOLD_GB = 0.3;

export interface ShortEstimate {
  readonly what: string;
  /** By the kernel, of whomever. */
  readonly kills: number;
  readonly job: Job | null;
  /** What was asked for in turn, bytes. */
  readonly askedFor: readonly number[];
  readonly answered: number;
  readonly problems: readonly string[];
}

interface Scene {
  readonly machine: SmallMachine;
  readonly requests: Told[];
  readonly needs: Set<number>;
}

/** @param folder an empty one, of this story alone */
export async function runHalf(folder: string): Promise<ShortEstimate> {
  return within(
    folder,
    { sizes: HALF, policy: 'wait', toldGb: HALF_TAKES_GB / 2 },
    async ({ machine, needs }) => {
      const job = await untilEnded(machine, JOB);
      const problems: string[] = [];
      if (job.state !== 'completed' || job.attempt !== 2)
        problems.push(`the job is ${job.state} in attempt ${job.attempt}: ${job.reason}`);
      const version = await machine.get<{ versions: ModelVersion[] }>(
        'reactor-core',
        '/api/models/vision/versions',
      );
      const steps = version?.versions[0]?.metrics['steps'];
      if (steps !== STEPS - STEPS_BEFORE_THE_LEAP)
        problems.push(
          `the second attempt did ${steps} steps of ${STEPS}: it did not go on from the checkpoint`,
        );
      const most = Math.max(...needs);
      if (most < HALF_TAKES_GB * GB) problems.push(`it was raised to ${most} bytes only`);
      return { what: 'a need told at half', kills: 1, job, problems };
    },
  );
}

export async function runEndless(folder: string): Promise<ShortEstimate> {
  return within(
    folder,
    { sizes: ENDLESS, policy: 'training_first', toldGb: ENDLESS_TOLD_GB },
    async ({ machine }) => {
      const problems: string[] = [];
      let job = null as Job | null;
      await until(
        () => `vision to be held back; the job is ${job?.state}, attempt ${job?.attempt}: ${job?.reason}`,
        async () => {
          job = await jobOf(machine, JOB);
          return /jobs in a row failed/.test(job?.reason ?? '');
        },
        JOB_LIMIT_MS,
      );
      const words =
        /3 vision jobs in a row failed \(the last: .*ran out of memory under .* GB\); one is tried at .*reset/;
      if (!words.test(job?.reason ?? '')) problems.push(`it says: ${job?.reason}`);
      const budget = await machine.get<Budget>('jarvis-core', '/api/resources');
      const why = budget?.needs.find((n) => n.model_type === 'vision')?.why ?? '';
      if (!/raised: 3 trainings ran out of memory/.test(why)) problems.push(`what was learned: ${why}`);
      return { what: 'a need beyond all', kills: BREAKER_FAILURES, job, problems };
    },
  );
}

interface Setting {
  readonly sizes: Sizes;
  readonly policy: NegotiationPolicy;
  readonly toldGb: number;
}

async function within(
  folder: string,
  { sizes, policy, toldGb }: Setting,
  tell: (scene: Scene) => Promise<Pick<ShortEstimate, 'what' | 'kills' | 'job' | 'problems'>>,
): Promise<ShortEstimate> {
  const arena = await makeArena(sizes.limit * 1024 ** 2);
  try {
    const environment = { TRAINING_MEMORY_RESERVE_GB: toldGb.toFixed(3) };
    const machine = await startSmallMachine({
      arena,
      folder,
      policy,
      negotiates: true,
      environment,
      sizes,
    });
    const services = await instancesOf(machine);
    const scene: Scene = { machine, requests: [], needs: new Set() };
    await storeExperiences(machine);
    const ended = new AbortController();
    const asking = keepAsking(scene, ended.signal);
    await submit(machine, JOB);
    const told = await tell(scene).finally(() => ended.abort());
    await asking;
    const kills = await arena.kills();
    const problems = [...told.problems, ...requestProblems(scene.requests)];
    if (kills !== told.kills) problems.push(`the kernel killed ${kills}, not ${told.kills}`);
    if ((await instancesOf(machine)) !== services) problems.push('a service was started anew');
    await machine.down();
    const answered = scene.requests.filter((r) => r.status === 200).length;
    return { ...told, kills, askedFor: [...scene.needs], answered, problems };
  } finally {
    await arena.remove();
  }
}

async function keepAsking({ machine, requests, needs }: Scene, ended: AbortSignal): Promise<void> {
  while (!ended.aborted) {
    requests.push(await ask(machine));
    const leases = await machine.get<{ leases: Lease[] }>('jarvis-core', '/api/leases');
    for (const { holder, need } of leases?.leases ?? []) if (holder === JOB) needs.add(need.ram_bytes);
    await new Promise((resolve) => setTimeout(resolve, ASK_EVERY_MS));
  }
}

function requestProblems(requests: readonly Told[]): string[] {
  const bad = requests.filter((r) => r.status !== 200 && !(r.status === 503 && r.retryAfter !== null));
  return bad.map((r) => `a request had ${r.status} after ${Math.round(r.ms)} ms`);
}

/** Who answers as which service; another process is another instance. */
async function instancesOf(machine: SmallMachine): Promise<string> {
  const names = ['jarvis-core', 'j-prime', 'reactor-core'] as const;
  const all = await Promise.all(names.map((name) => machine.get<{ instance_id: string }>(name, '/health')));
  return all.map((health) => health?.instance_id ?? 'away').join(' ');
}
