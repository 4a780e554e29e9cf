// One ordeal: the system starts, people use it, it is hurt, left in peace, checked, and stopped.
import type { FailpointEntry } from '@jarvis/failpoints';
import { FAILPOINTS_VARIABLE } from '@jarvis/failpoints';
import { seededRandom, until } from '@jarvis/testkit';
import { checkSettled, type Findings, type Watch, watchTrainers } from './checks.ts';
import { killAtRandom, type Plan, writePlan } from './faults.ts';
import { makeSystem, type System, UNUSUAL, untilUp } from './system.ts';
import { startWorkload } from './workload.ts';

const UP_LIMIT_MS = 120_000;
const GONE_LIMIT_MS = 10_000;

export interface OrdealOptions {
  readonly folder: string;
  readonly seed: number;
  readonly failpoints: readonly FailpointEntry[];
  readonly kills: number;
  /** Whether people also do what a healthy machine seldom sees. */
  readonly unusual: boolean;
  /** For so long another step of the plan is waited for. */
  readonly quietLimitMs: number;
  readonly environment?: Readonly<Record<string, string>>;
  /** Ends it early: what was started is killed, and it throws. */
  readonly signal?: AbortSignal;
  readonly say: (line: string) => void;
}

const TOLD_EVERY_STEPS = 20;

export interface Ordeal extends Findings {
  readonly fired: number;
  readonly pending: readonly string[];
  readonly kills: Readonly<Record<string, number>>;
  readonly experiences: number;
  readonly commands: number;
  readonly looks: number;
  readonly seconds: number;
}

export async function undergo(options: OrdealOptions): Promise<Ordeal> {
  const { folder, say, signal } = options;
  const plan = await writePlan(folder, options.failpoints);
  const environment = {
    [FAILPOINTS_VARIABLE]: plan.path,
    ...(options.unusual ? UNUSUAL : {}),
    ...options.environment,
  };
  const system = await makeSystem(folder, environment);
  const watch = watchTrainers(system);
  try {
    return await Promise.race([hurt(options, { system, plan, watch }), aborted(signal)]);
  } catch (error) {
    if (signal?.aborted !== true) say(system.output().slice(-5000));
    throw error;
  } finally {
    await watch.stop();
    system.giveUp();
    for (const pid of await system.processes()) process.kill(pid, 'SIGKILL');
  }
}

function aborted(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal?.addEventListener('abort', () => reject(new Error('it was ended from outside')), { once: true });
  });
}

interface Scene {
  readonly system: System;
  readonly plan: Plan;
  readonly watch: Watch;
}

async function hurt(options: OrdealOptions, { system, plan, watch }: Scene): Promise<Ordeal> {
  const { seed, say } = options;
  const from = performance.now();
  const broken: string[] = [];
  system.up();
  const workload = startWorkload(system, seededRandom(seed), options);
  await untilFired(plan, options);
  say(`${options.failpoints.length - plan.pending().length} of ${options.failpoints.length} steps taken`);
  await untilUp(system, UP_LIMIT_MS);
  const kills = await killAtRandom(system, seededRandom(seed + 1), options.kills, (done) => {
    if (done % 25 === 0) say(`${done} of ${options.kills} kills`);
  });
  await untilUp(system, UP_LIMIT_MS);
  await workload.stop();
  say('in peace: waiting until everything has ended');
  const findings = await checkSettled(system, workload.account);
  await watch.stop();
  if (watch.most() > 1) broken.push(`${watch.most()} trainers were alive at once`);
  const exitCode = await system.down();
  if (exitCode !== 0) broken.push(`jarvis down ended with ${exitCode}`);
  const left = await orphans(() => system.processes());
  if (left.length > 0) broken.push(`processes ${left.join(', ')} were left`);
  const pending = plan.pending();
  return {
    ...findings,
    broken: [...findings.broken, ...broken],
    fired: options.failpoints.length - pending.length,
    pending,
    kills,
    experiences: workload.account.experiences,
    commands: workload.account.commands,
    looks: watch.looks(),
    seconds: (performance.now() - from) / 1000,
  };
}

/** Until all fired, or none has for so long. */
async function untilFired(
  plan: { pending(): string[] },
  { quietLimitMs, say }: Pick<OrdealOptions, 'quietLimitMs' | 'say'>,
): Promise<void> {
  let told = plan.pending().length;
  for (let left = told; left > 0;) {
    const before = left;
    const fired = await until('another step', () => plan.pending().length < before, quietLimitMs).catch(
      () => false,
    );
    if (!fired) return;
    left = plan.pending().length;
    if (told - left >= TOLD_EVERY_STEPS) {
      say(`${left} steps are still to be taken`);
      told = left;
    }
  }
}

async function orphans(processes: () => Promise<number[]>): Promise<number[]> {
  try {
    await until(
      'the processes of the home to be gone',
      async () => (await processes()).length === 0,
      GONE_LIMIT_MS,
    );
    return [];
  } catch {
    return processes();
  }
}
