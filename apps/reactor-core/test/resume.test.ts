// The built-in trainer, killed: it goes on from its last good checkpoint and ends in the same bytes (I5).
import assert from 'node:assert/strict';
import { appendFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { modelVersionsSchema, type TrainingStartInput } from '@jarvis/contracts';
import type { JobEvent } from './client.ts';
import { commands } from './experiences.ts';
import { makeWorld, type Reactor } from './harness.ts';

const MORTAL = fileURLToPath(new URL('trainers/mortal.ts', import.meta.url));
const mortal = { env: { TRAINER_NLU_COMMAND: `"${process.execPath}" "${MORTAL}"` } };
const builtIn = { env: { TRAINER_NLU_COMMAND: '' } };

const EPOCHS = 60;
const INTERVAL = 2;

const body: TrainingStartInput = {
  job_id: 'job-1',
  model_type: 'nlu',
  experiences: commands(8, 8),
  epochs: EPOCHS,
  checkpoint_interval: INTERVAL,
  fencing_token: 1,
};

/** The SHA-256 of the only version. */
async function digestOf(reactor: Reactor): Promise<string> {
  const answer = modelVersionsSchema.parse(await reactor.must('GET', '/api/models/nlu/versions'));
  const [version, ...others] = answer.versions;
  assert.ok(version !== undefined && others.length === 0);
  return version.digest;
}

async function undisturbed(t: TestContext): Promise<string> {
  const reactor = await (await makeWorld(t, builtIn)).start();
  await reactor.start(body);
  await reactor.eventsToEnd('job-1');
  return digestOf(reactor);
}

/** Starts an attempt and waits until it is over in this way. */
async function attempt(reactor: Reactor, token: number, over: 'lost' | 'preempted'): Promise<void> {
  assert.equal((await reactor.start({ ...body, fencing_token: token })).attempt, token);
  await reactor.eventsUntil('job-1', (e) => e.data['status'] === over && e.data['attempt'] === token);
}

/** The epoch at which an attempt took the job up. */
function firstEpoch(events: readonly JobEvent[], attempt: number): number {
  const started = events.find((e) => e.data['attempt'] === attempt && e.data['status'] === 'running');
  return Number(started?.data['epoch']);
}

test('killed twice, stopped once: the same version as undisturbed, byte for byte', async (t) => {
  const reactor = await (await makeWorld(t, mortal)).start();
  await attempt(reactor, 1, 'lost');
  assert.match((await reactor.status('job-1')).error ?? '', /SIGKILL/);
  await attempt(reactor, 2, 'lost');
  await attempt(reactor, 3, 'preempted');
  await reactor.start({ ...body, fencing_token: 4 });
  const events = await reactor.eventsToEnd('job-1');
  assert.equal(events.at(-1)?.name, 'completed');
  assert.deepEqual(
    events.map((e) => e.id),
    events.map((_, i) => i + 1),
  );
  const resumed = [1, 2, 3, 4].map((n) => firstEpoch(events, n));
  assert.equal(resumed[0], 0);
  for (const [i, epoch] of [0, 10, 20, 30].entries()) assert.ok(Number(resumed[i]) >= epoch, String(resumed));
  assert.equal(await digestOf(reactor), await undisturbed(t));
});

test('a checkpoint that is damaged is passed over for the one before', async (t) => {
  const world = await makeWorld(t, mortal);
  const reactor = await world.start();
  await attempt(reactor, 1, 'lost');
  const folder = world.file('runs', 'job-1', 'checkpoints');
  const names = (await readdir(folder)).filter((name) => /^epoch-\d+-step-\d+$/.test(name)).sort();
  const newest = names.at(-1) ?? '';
  for (const file of await readdir(join(folder, newest))) await appendFile(join(folder, newest, file), 'x');
  await attempt(reactor, 2, 'lost');
  await attempt(reactor, 3, 'preempted');
  await reactor.start({ ...body, fencing_token: 4 });
  const events = await reactor.eventsToEnd('job-1');
  assert.equal(firstEpoch(events, 2), Number(/^epoch-(\d+)/.exec(names.at(-2) ?? '')?.[1]));
  assert.equal(await digestOf(reactor), await undisturbed(t));
});
