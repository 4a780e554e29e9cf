// The built-in trainer, killed: it goes on from its last good checkpoint and ends in the same bytes (I5).
import assert from 'node:assert/strict';
import { appendFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { type ModelVersion, modelVersionsSchema, type TrainingStartInput } from '@jarvis/contracts';
import { signalProcess } from '@jarvis/process';
import type { JobEvent } from './client.ts';
import { commands } from './experiences.ts';
import { makeWorld, type Reactor } from './harness.ts';

const EPOCHS = 500;
const INTERVAL = 25;
const builtIn = { env: { TRAINER_NLU_COMMAND: '' } };

const body: TrainingStartInput = {
  job_id: 'job-1',
  model_type: 'nlu',
  experiences: commands(8, 8),
  epochs: EPOCHS,
  checkpoint_interval: INTERVAL,
  fencing_token: 1,
};

const saved =
  (epoch: number) =>
  (event: JobEvent): boolean =>
    event.name === 'checkpoint' && Number(event.data['epoch']) >= epoch;

async function versionOf(reactor: Reactor): Promise<ModelVersion> {
  const answer = modelVersionsSchema.parse(await reactor.must('GET', '/api/models/nlu/versions'));
  const [version, ...others] = answer.versions;
  assert.ok(version !== undefined && others.length === 0);
  return version;
}

/** The digest of the version that the job yields when nobody disturbs it; the same for all, so it is made once. */
let digest: Promise<string> | undefined;
function undisturbed(t: TestContext): Promise<string> {
  digest ??= (async () => {
    const world = await makeWorld(t, builtIn);
    const reactor = await world.start();
    await reactor.start(body);
    await reactor.eventsToEnd('job-1');
    return (await versionOf(reactor)).digest;
  })();
  return digest;
}

async function kill(reactor: Reactor): Promise<void> {
  const [run] = await reactor.runs('?live=true');
  assert.ok(run?.pid != null, 'it trains still');
  signalProcess(run.pid, 'SIGKILL');
  await reactor.eventsUntil('job-1', (e) => e.data['status'] === 'lost' && e.data['attempt'] === run.attempt);
}

test('killed twice, preempted once: the same version as undisturbed, byte for byte', async (t) => {
  const world = await makeWorld(t, builtIn);
  const reactor = await world.start();
  await reactor.start(body);
  await reactor.eventsUntil('job-1', saved(INTERVAL));
  await kill(reactor);
  assert.match((await reactor.status('job-1')).error ?? '', /SIGKILL/);
  for (const [token, epoch] of [
    [2, 4 * INTERVAL],
    [3, 7 * INTERVAL],
  ] as const) {
    assert.equal((await reactor.start({ ...body, fencing_token: token })).attempt, token);
    await reactor.eventsUntil('job-1', saved(epoch));
    if (token === 2) await kill(reactor);
    else await reactor.must('POST', '/api/training/preempt/job-1');
  }
  assert.equal((await reactor.start({ ...body, fencing_token: 4 })).attempt, 4);
  const events = await reactor.eventsToEnd('job-1');
  assert.equal(events.at(-1)?.name, 'completed');
  assert.deepEqual(
    events.map((e) => e.id),
    events.map((_, i) => i + 1),
  );
  const resumed = [1, 2, 3, 4].map((attempt) => firstEpoch(events, attempt));
  assert.equal(resumed[0], 0);
  const least = [0, 1, 4, 7].map((n) => n * INTERVAL);
  assert.ok(
    resumed.every((epoch, i) => epoch >= Number(least[i])),
    String(resumed),
  );
  assert.equal((await versionOf(reactor)).digest, await undisturbed(t));
});

test('a checkpoint that is damaged is passed over for the one before', async (t) => {
  const world = await makeWorld(t, builtIn);
  const reactor = await world.start();
  await reactor.start(body);
  await reactor.eventsUntil('job-1', saved(2 * INTERVAL));
  await kill(reactor);
  const folder = world.file('runs', 'job-1', 'checkpoints');
  const names = (await readdir(folder)).filter((name) => /^epoch-\d+-step-\d+$/.test(name)).sort();
  const newest = names.at(-1) ?? '';
  for (const file of await readdir(join(folder, newest))) await appendFile(join(folder, newest, file), 'x');
  await reactor.start({ ...body, fencing_token: 2 });
  const events = await reactor.eventsToEnd('job-1');
  const goodEpoch = Number(/^epoch-(\d+)/.exec(names.at(-2) ?? '')?.[1]);
  assert.equal(firstEpoch(events, 2), goodEpoch);
  assert.equal((await versionOf(reactor)).digest, await undisturbed(t));
});

/** The epoch at which an attempt took the job up. */
function firstEpoch(events: readonly JobEvent[], attempt: number): number {
  const started = events.find((e) => e.data['attempt'] === attempt && e.data['status'] === 'running');
  return Number(started?.data['epoch']);
}
