// What people and their assistant do while everything dies around them, and an account of what was acknowledged.
// Every call is repeated until it is answered; all of them may be.
import { mkdir, readdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type InvariantReport, PRIORITY_CLASSES, type Run, SERVICES } from '@jarvis/contracts';
import type { SeededRandom } from '@jarvis/testkit';
import { provocations } from './provocations.ts';
import { getJson, type System } from './system.ts';
import {
  type Account,
  batch,
  BATCH_ROWS,
  GAVE_UP,
  INTENTS,
  KINDS,
  loop,
  nameOf,
  pause,
  pick,
  post,
  Serial,
  type World,
} from './world.ts';

const BATCH_EVERY_MS = 60;
const FILE_EVERY_MS = 500;
const COMMAND_EVERY_MS = 40;
const JOB_EVERY_MS = 1_500;
const JOBS_WAITING_MAX = { usual: 8, unusual: 2 } as const;
/** Who saw a queue that long comes back so long after it is empty. */
const LULL_MS = 4_000;
const OWN_RUN_EVERY_MS = 4_000;
const DEPLOYMENT_EVERY_MS = 1_200;
const BAD_FILE_EVERY_MS = 4_000;
const LOOK_EVERY_MS = 1_000;
/** What is dropped on purpose to be set aside begins so. */
export const BAD_FILE = 'experiences_bad';
/** Of all jobs, how many are cancelled at some time. */
const CANCELLED_SHARE = 0.3;
const CANCEL_AFTER_MS_MAX = 3_000;
const BREAKER_RESET_EVERY_MS = 4_000;
const CALL_OFF_EVERY_MS = 15_000;

export interface Workload {
  readonly account: Account;
  /** Ends the loops; resolves when the last call of each was answered. */
  stop(): Promise<void>;
}

/** With `unusual`, people also do what a healthy machine seldom sees. */
export function startWorkload(
  system: System,
  random: SeededRandom,
  { unusual }: { readonly unusual: boolean },
): Workload {
  const account: Account = { experiences: 0, jobs: [], ownRuns: [], broken: [], commands: 0 };
  const ended = new AbortController();
  const jobsWaitingMax = JOBS_WAITING_MAX[unusual ? 'unusual' : 'usual'];
  const world: World = {
    system,
    random,
    account,
    ended: ended.signal,
    names: 0,
    registry: new Serial(),
    jobsWaitingMax,
  };
  const loops = [
    loop(world, BATCH_EVERY_MS, sendBatch),
    loop(world, FILE_EVERY_MS, dropFile),
    loop(world, COMMAND_EVERY_MS, command),
    loop(world, JOB_EVERY_MS, submitJob),
    loop(world, BREAKER_RESET_EVERY_MS, resetBreaker),
    loop(world, CALL_OFF_EVERY_MS, callOffSomebody),
    loop(world, DEPLOYMENT_EVERY_MS, meddleWithDeployments),
    loop(world, BAD_FILE_EVERY_MS, dropBadFile),
    loop(world, LOOK_EVERY_MS, lookAtInvariants),
    ...(unusual ? provocations(world) : [loop(world, OWN_RUN_EVERY_MS, startRunAtReactor)]),
  ];
  return {
    account,
    stop: async () => {
      ended.abort();
      await Promise.all(loops);
    },
  };
}

async function sendBatch(world: World): Promise<void> {
  const experiences = batch(world, pick(world.random, KINDS));
  const key = nameOf(world, 'batch');
  const { status } = await post(
    `${world.system.urls['jarvis-core']}/api/experiences`,
    { experiences },
    { 'idempotency-key': key },
  );
  if (status !== 200) throw new Error(`a batch was refused with ${status}`);
  world.account.experiences += experiences.length;
}

/** Written beside, then renamed, as a careful program does; every fourth is dropped a second time under another name. */
async function dropFile(world: World): Promise<void> {
  const kind = pick(world.random, KINDS);
  const folder = join(world.system.home, 'events');
  await mkdir(folder, { recursive: true });
  const number = (world.names += 1);
  const text = JSON.stringify({
    batch_id: `dropped-${number}`,
    model_type: kind,
    experiences: batch(world, kind),
    created_at: 1_700_000_000,
  });
  const copies = number % 4 === 0 ? 2 : 1;
  for (let copy = 0; copy < copies; copy++) {
    const path = join(folder, `experiences_${kind}_${1_700_000_000 + number * 10 + copy}.json`);
    await writeFile(`${path}.part`, text);
    await rename(`${path}.part`, path);
  }
  world.account.experiences += BATCH_ROWS;
}

async function command(world: World): Promise<void> {
  const core = world.system.urls['jarvis-core'];
  const session = `session-${Math.floor(world.names / 3)}`;
  const said = await post(`${core}/api/command`, {
    text: `please do ${nameOf(world, 'it')}`,
    session_id: session,
  });
  if (said.status !== 200) throw new Error(`a command was refused with ${said.status}`);
  world.account.commands += 1;
  if (world.random.unit() < 0.5) return;
  const judged = await post(`${core}/api/feedback`, {
    interaction_id: said.body['interaction_id'],
    correct: false,
    expected_output: { intent: pick(world.random, INTENTS) },
  });
  if (judged.status !== 200) throw new Error(`feedback was refused with ${judged.status}`);
  world.account.experiences += 1;
}

async function submitJob(world: World): Promise<void> {
  const core = world.system.urls['jarvis-core'];
  // More than can be worked off in the end would only be waited for.
  const waiting = await getJson<{ jobs: unknown[] }>(`${core}/api/jobs?state=queued`);
  if (waiting === null) return;
  if (waiting.jobs.length >= world.jobsWaitingMax) return untilLull(world);
  const kind = pick(world.random, KINDS);
  const body = {
    job_id: nameOf(world, `asked-${kind}`),
    model_type: kind,
    priority: pick(world.random, PRIORITY_CLASSES),
    epochs: 2 + Math.floor(world.random.unit() * 4),
    auto_deploy: kind === 'nlu',
  };
  const { status, body: answer } = await post(`${core}/api/jobs`, body);
  // Nothing of this kind to learn from yet: another time.
  if (answer['code'] === 'dataset_empty') return;
  if (status !== 200) throw new Error(`a job was refused with ${status}: ${JSON.stringify(answer)}`);
  world.account.jobs.push(body.job_id);
  if (world.random.unit() >= CANCELLED_SHARE) return;
  await pause(world.random.unit() * CANCEL_AFTER_MS_MAX);
  // Some press twice.
  for (const _ of [1, 2]) await post(`${core}/api/jobs/${body.job_id}/cancel`, {});
}

/** Somebody wants to be sure that a kind is not held back. */
async function resetBreaker(world: World): Promise<void> {
  await post(`${world.system.urls['jarvis-core']}/api/breakers/${pick(world.random, KINDS)}/reset`, {});
}

/** A queue that never runs empty would leave out all that happens only when nobody trains. */
async function untilLull(world: World): Promise<void> {
  const url = `${world.system.urls['jarvis-core']}/api/jobs?state=queued`;
  const isEmpty = async (): Promise<boolean> => (await getJson<{ jobs: unknown[] }>(url))?.jobs.length === 0;
  while (!world.ended.aborted && !(await isEmpty())) await pause(JOB_EVERY_MS);
  await pause(LULL_MS);
}

/** Without a token: Reactor Core takes slot and memory itself. Busy is an answer, and it is asked again. */
async function startRunAtReactor(world: World): Promise<void> {
  const body = {
    job_id: nameOf(world, 'own-voice'),
    model_type: 'voice',
    experiences: batch(world, 'voice'),
    // Some long enough to be met while they train.
    epochs: pick(world.random, [2, 12]),
  };
  const url = `${world.system.urls['reactor-core']}/api/training/start`;
  const { status, body: answer } = await post(url, body, {}, world.ended);
  if (status === 200) world.account.ownRuns.push(body.job_id);
  else if (status !== GAVE_UP) throw new Error(`a run was refused with ${status}: ${JSON.stringify(answer)}`);
}

/** At Reactor Core itself, whoever trains is told to give way, and then called off while no trainer of it runs. */
async function callOffSomebody(world: World): Promise<void> {
  const training = `${world.system.urls['reactor-core']}/api/training`;
  const live = await getJson<{ runs: Run[] }>(`${training}/jobs?live=true`);
  const run = live?.runs[0];
  if (run === undefined) return;
  for (const how of ['preempt', 'cancel'])
    await post(`${training}/${how}/${run.job_id}`, {}, {}, world.ended);
}

/** Pauses and resumes what rolls; now and then everybody goes back, or to a version at once. What is refused is refused. */
async function meddleWithDeployments(world: World): Promise<void> {
  const reactor = world.system.urls['reactor-core'];
  const answer = await getJson<{
    deployments: { deployment_id: string; state: string; model_version: string }[];
  }>(`${reactor}/api/deployments`);
  const rolling = answer?.deployments.find((d) => d.state === 'rolling' || d.state === 'holding');
  const draw = world.random.unit();
  if (rolling !== undefined && draw < 0.4) {
    await post(`${reactor}/api/deployments/${rolling.deployment_id}/pause`, {}, {}, world.ended);
    await post(`${reactor}/api/deployments/${rolling.deployment_id}/resume`, {}, {}, world.ended);
  } else if (draw < 0.5) await post(`${reactor}/api/models/rollback`, { model_type: 'nlu' }, {}, world.ended);
  else if (answer?.deployments[0] !== undefined && draw < 0.6) {
    const { model_version } = answer.deployments[0];
    const body = { model_type: 'nlu', model_version, strategy: 'immediate' };
    await post(`${reactor}/api/models/deploy`, body, {}, world.ended);
  }
}

async function dropBadFile(world: World): Promise<void> {
  const folder = join(world.system.home, 'events');
  await mkdir(folder, { recursive: true });
  const path = join(folder, `${BAD_FILE}_${(world.names += 1)}.json`);
  await writeFile(`${path}.part`, '{"not": "experiences"}');
  await rename(`${path}.part`, path);
}

async function lookAtInvariants(world: World): Promise<void> {
  for (const service of SERVICES) {
    const look = (): Promise<InvariantReport | null> =>
      getJson<InvariantReport>(`${world.system.urls[service]}/api/invariants`);
    const report = await (service === 'reactor-core' ? world.registry.run(look) : look());
    for (const { invariant, message } of report?.broken ?? [])
      world.account.broken.push(`${service}: ${invariant} was broken under way: ${message}`);
  }
}

/** Files that nobody has taken yet. */
export async function waitingFiles(home: string): Promise<string[]> {
  const of = (folder: string): Promise<string[]> => readdir(folder).catch(() => []);
  const events = join(home, 'events');
  const names = [...(await of(events)), ...(await of(join(events, '.claimed')))];
  return names.filter((name) => name.endsWith('.json'));
}
