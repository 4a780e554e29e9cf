// What people and their assistant do while everything dies around them, and an account of what was acknowledged.
// Every call is repeated until it is answered; all of them may be.
import { mkdir, readdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Experience,
  type InvariantReport,
  type ModelType,
  PRIORITY_CLASSES,
  SERVICES,
} from '@jarvis/contracts';
import type { SeededRandom } from '@jarvis/testkit';
import { getJson, type System } from './system.ts';

const CALL_LIMIT_MS = 5_000;
const RETRY_MS = 100;
const BATCH_ROWS = 5;
const BATCH_EVERY_MS = 60;
const FILE_EVERY_MS = 500;
const COMMAND_EVERY_MS = 40;
const JOB_EVERY_MS = 1_500;
const JOBS_WAITING_MAX = 8;
const OWN_RUN_EVERY_MS = 4_000;
const DEPLOYMENT_EVERY_MS = 1_200;
const BAD_FILE_EVERY_MS = 4_000;
const LOOK_EVERY_MS = 1_000;
/** What is dropped on purpose to be set aside begins so. */
export const BAD_FILE = 'experiences_bad';
/** Of all jobs, how many are cancelled at some time. */
const CANCELLED_SHARE = 0.15;
const CANCEL_AFTER_MS_MAX = 3_000;
/** Before a job is asked for, somebody may want to be sure that its kind is not held back. */
const BREAKER_RESET_SHARE = 0.1;
/** Of runs that were started at Reactor Core itself. */
const CALLED_OFF_SHARE = 0.3;
const KINDS: readonly ModelType[] = ['voice', 'nlu', 'vision', 'embedding'];
const INTENTS = ['lights_on', 'lights_off', 'set_timer', 'play_music'] as const;

export interface Account {
  /** Experiences that the system has taken on: acknowledged, or lying in the drop folder. */
  experiences: number;
  /** Names of jobs whose submission was acknowledged. */
  readonly jobs: string[];
  /** Names of runs that were started at Reactor Core. */
  readonly ownRuns: string[];
  /** Invariants that a service itself found broken. */
  readonly broken: string[];
  commands: number;
}

export interface Workload {
  readonly account: Account;
  /** Ends the loops; resolves when the last call of each was answered. */
  stop(): Promise<void>;
}

export function startWorkload(system: System, random: SeededRandom): Workload {
  const account: Account = { experiences: 0, jobs: [], ownRuns: [], broken: [], commands: 0 };
  const ended = new AbortController();
  const world: World = { system, random, account, ended: ended.signal, names: 0 };
  const loops = [
    loop(world, BATCH_EVERY_MS, sendBatch),
    loop(world, FILE_EVERY_MS, dropFile),
    loop(world, COMMAND_EVERY_MS, command),
    loop(world, JOB_EVERY_MS, submitJob),
    loop(world, OWN_RUN_EVERY_MS, startRunAtReactor),
    loop(world, DEPLOYMENT_EVERY_MS, meddleWithDeployments),
    loop(world, BAD_FILE_EVERY_MS, dropBadFile),
    loop(world, LOOK_EVERY_MS, lookAtInvariants),
  ];
  return {
    account,
    stop: async () => {
      ended.abort();
      await Promise.all(loops);
    },
  };
}

interface World {
  readonly system: System;
  readonly random: SeededRandom;
  readonly account: Account;
  readonly ended: AbortSignal;
  names: number;
}

async function loop(world: World, everyMs: number, act: (world: World) => Promise<void>): Promise<void> {
  while (!world.ended.aborted) {
    // One answer that is wrong ends neither the ordeal nor what this person goes on to ask for.
    await act(world).catch((error: unknown) => world.account.broken.push(String(error)));
    await pause(everyMs);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

/** No status of HTTP: the people have gone home before anybody answered. */
const GAVE_UP = 0;

/** Repeats until somebody answers with anything but "not now"; or, for what need not be done, until `ended`. */
async function post(
  url: string,
  body: unknown,
  headers: Record<string, string> = {},
  ended?: AbortSignal,
): Promise<Answer> {
  for (;;) {
    if (ended?.aborted === true) return { status: GAVE_UP, body: {} };
    try {
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(CALL_LIMIT_MS),
      });
      const answer = { status: response.status, body: (await response.json()) as Record<string, unknown> };
      if (answer.status < 500) return answer;
    } catch {
      // Away, or gone in mid-reply: whether it was done is not known, so it is asked again.
    }
    await pause(RETRY_MS);
  }
}

function nameOf(world: World, what: string): string {
  return `${what}-${(world.names += 1)}`;
}

function pick<T>(random: SeededRandom, items: readonly T[]): T {
  return items[Math.floor(random.unit() * items.length)] as T;
}

function experience(world: World, kind: ModelType): Experience {
  const name = nameOf(world, 'thing');
  switch (kind) {
    case 'voice':
      return {
        type: 'voice_auth',
        input: { audio_embedding: [world.random.unit(), 1] },
        expected_output: { speaker: name },
      };
    case 'vision':
      return { type: 'vision', input: { image_base64: 'iVBORw0KGgo=' }, expected_output: { label: name } };
    case 'embedding':
      return { type: 'interaction', input: { a: name, b: 'other' }, expected_output: { score: 0.5 } };
    default:
      return {
        type: 'command',
        input: { text: `please do ${name}` },
        expected_output: { intent: pick(world.random, INTENTS) },
      };
  }
}

function batch(world: World, kind: ModelType): Experience[] {
  return Array.from({ length: BATCH_ROWS }, () => experience(world, kind));
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
  if (waiting === null || waiting.jobs.length >= JOBS_WAITING_MAX) return;
  const kind = pick(world.random, KINDS);
  const body = {
    job_id: nameOf(world, `asked-${kind}`),
    model_type: kind,
    priority: pick(world.random, PRIORITY_CLASSES),
    epochs: 2 + Math.floor(world.random.unit() * 4),
    auto_deploy: kind === 'nlu',
  };
  if (world.random.unit() < BREAKER_RESET_SHARE) await post(`${core}/api/breakers/${kind}/reset`, {});
  const { status, body: answer } = await post(`${core}/api/jobs`, body);
  // Nothing of this kind to learn from yet: another time.
  if (answer['code'] === 'dataset_empty') return;
  if (status !== 200) throw new Error(`a job was refused with ${status}: ${JSON.stringify(answer)}`);
  world.account.jobs.push(body.job_id);
  if (world.random.unit() >= CANCELLED_SHARE) return;
  await pause(world.random.unit() * CANCEL_AFTER_MS_MAX);
  await post(`${core}/api/jobs/${body.job_id}/cancel`, {});
}

/** Without a token: Reactor Core takes slot and memory itself. Busy is an answer, and it is asked again. */
async function startRunAtReactor(world: World): Promise<void> {
  const calledOff = world.random.unit() < CALLED_OFF_SHARE;
  const body = {
    job_id: nameOf(world, 'own-voice'),
    model_type: 'voice',
    experiences: batch(world, 'voice'),
    // Long enough to be met while it trains.
    epochs: calledOff ? 12 : 2,
  };
  const url = `${world.system.urls['reactor-core']}/api/training/start`;
  const { status, body: answer } = await post(url, body, {}, world.ended);
  if (status === 200) {
    world.account.ownRuns.push(body.job_id);
    if (calledOff) await callOff(world, body.job_id);
  } else if (status !== GAVE_UP)
    throw new Error(`a run was refused with ${status}: ${JSON.stringify(answer)}`);
}

/** It is told to give way, and then called off while no trainer of its runs. */
async function callOff(world: World, jobId: string): Promise<void> {
  const training = `${world.system.urls['reactor-core']}/api/training`;
  for (const how of ['preempt', 'cancel']) await post(`${training}/${how}/${jobId}`, {}, {}, world.ended);
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
    const report = await getJson<InvariantReport>(`${world.system.urls[service]}/api/invariants`);
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
