// What a training learns from: frozen when it starts, named by its digest, the newest label of an input, the newest part
// held out for the gate.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { type DatasetRow, datasetRowSchema } from '@jarvis/contracts';
import { until } from '@jarvis/testkit';
import { type Client, commands } from './client.ts';
import { makeWorld, startCore, type World } from './world.ts';

interface Frozen {
  readonly sha256: string;
  readonly text: string;
  readonly rows: DatasetRow[];
}

/** Trains a job to its end, and answers what it was given. */
async function train(world: World, core: Client): Promise<Frozen> {
  const { job_id } = await core.submit();
  await core.reaches(job_id, 'training');
  world.reactor.complete(job_id);
  await core.reaches(job_id, 'completed');
  const frozen = await fetchFrozen(core, world.reactor.starts.at(-1)?.dataset?.url ?? '');
  assert.equal(world.reactor.starts.at(-1)?.dataset?.sha256, frozen.sha256);
  assert.equal(world.reactor.starts.at(-1)?.dataset?.rows, frozen.rows.length);
  assert.equal((await core.job(job_id)).dataset_sha256, frozen.sha256);
  return frozen;
}

async function fetchFrozen(core: Client, url: string): Promise<Frozen> {
  assert.ok(url.startsWith(core.url), url);
  const answer = await core.call('GET', url.slice(core.url.length));
  assert.equal(answer.status, 200);
  assert.match(answer.headers.get('content-type') ?? '', /^application\/x-ndjson/);
  const text = answer.body as string;
  assert.equal(Number(answer.headers.get('content-length')), Buffer.byteLength(text));
  const sha256 = createHash('sha256').update(text).digest('hex');
  assert.ok(url.endsWith(sha256), 'it is named by its digest');
  const rows = text.trimEnd().split('\n');
  return { sha256, text, rows: rows.map((line) => datasetRowSchema.parse(JSON.parse(line))) };
}

const textOf = (row: DatasetRow): unknown => row.input['text'];
const part = (rows: readonly DatasetRow[], split: DatasetRow['split']): DatasetRow[] =>
  rows.filter((r) => r.split === split);

test('the newest label of an input wins, whatever its case and spacing; what has no label is left out', async (t) => {
  const world = await makeWorld(t);
  const core = await startCore(world);
  await core.store([
    { type: 'command', input: { text: 'Lights  ON' }, expected_output: { intent: 'music' } },
    { type: 'command', input: { text: 'stop' }, expected_output: { intent: 'stop' } },
    { type: 'command', input: { text: 'what' }, success: false },
  ]);
  await core.store([
    { type: 'command', input: { text: 'lights on' }, expected_output: { intent: 'lights_on' } },
    { type: 'command', input: { text: 'stop' }, success: false },
  ]);
  const { rows } = await train(world, core);
  assert.deepEqual(
    rows.map((r) => [textOf(r), r.expected_output, r.split]),
    [
      ['stop', { intent: 'stop' }, 'train'],
      ['lights on', { intent: 'lights_on' }, 'train'],
    ],
  );
});

test('of many, the newest of what is new is held out for the gate; of few, and of the seeds, nothing is', async (t) => {
  const world = await makeWorld(t, { TRAINING_BASELINE_ENABLED: 'true', TRAINING_GATE_PERCENT: '10' });
  const seed = join(world.folder, 'seed.jsonl');
  await writeFile(
    seed,
    commands(30)
      .map((_, i) => JSON.stringify({ text: `seed ${i}`, label: 'l' }))
      .join('\n'),
  );
  const core = await startCore(world, { NLU_SEED_PATH: seed });
  await core.reaches('baseline-nlu', 'training');
  world.reactor.complete('baseline-nlu');
  await core.reaches('baseline-nlu', 'completed');
  await core.store(commands(49));
  const few = await train(world, core);
  assert.equal(part(few.rows, 'train').length, 79);
  await core.store(commands(11, 'lights_on', 'new'));
  const many = await train(world, core);
  assert.equal(part(many.rows, 'train').length, 87);
  assert.deepEqual(
    part(many.rows, 'gate').map(textOf),
    [8, 9, 10].map((i) => `new ${i}`),
  );
});

test('what an earlier training had with the same label is not held out, what was relabelled since is', async (t) => {
  const world = await makeWorld(t, { TRAINING_GATE_PERCENT: '10' });
  const core = await startCore(world);
  await core.store(commands(100));
  const first = await train(world, core);
  assert.equal(part(first.rows, 'gate').length, 10);
  await core.store(commands(100));
  const known = await train(world, core);
  assert.equal(part(known.rows, 'gate').length, 0);
  assert.equal(part(known.rows, 'train').length, 100);
  await core.store(commands(30, 'lights_off'));
  const relabelled = await train(world, core);
  assert.deepEqual(
    part(relabelled.rows, 'gate').map(textOf),
    commands(100)
      .slice(20, 30)
      .map((c) => (c.type === 'command' ? c.input.text : '')),
  );
});

test('more rows than one page of reading are all there, in order, once', async (t) => {
  const world = await makeWorld(t);
  const core = await startCore(world);
  await core.store(commands(2500));
  const { rows } = await train(world, core);
  assert.deepEqual(
    rows.map(textOf),
    commands(2500).map((c) => (c.type === 'command' ? c.input.text : '')),
  );
  assert.equal(part(rows, 'gate').length, 250);
});

test('frozen is frozen: a later attempt learns from the same, a later job from more, and both stay to be fetched', async (t) => {
  const world = await makeWorld(t);
  const core = await startCore(world);
  await core.store(commands(5));
  const { job_id } = await core.submit();
  await core.reaches(job_id, 'training');
  await core.store(commands(5, 'lights_on', 'meanwhile'));
  world.reactor.tell(job_id, 'preempted', { status: 'preempted', epoch: 1, attempt: 1, token: 1 });
  await until('the second attempt', () => world.reactor.starts.length === 2);
  const [first, second] = world.reactor.starts;
  assert.deepEqual(second?.dataset, first?.dataset);
  assert.equal(first?.dataset?.rows, 5);
  await core.reaches(job_id, 'training');
  world.reactor.complete(job_id);
  await core.reaches(job_id, 'completed');
  const later = await train(world, core);
  assert.equal(later.rows.length, 10);
  assert.equal((await fetchFrozen(core, first?.dataset?.url ?? '')).rows.length, 5);
});

test('the same data is the same set; an unknown digest is 404, what is no digest is 400', async (t) => {
  const world = await makeWorld(t);
  const core = await startCore(world);
  await core.store(commands(5));
  const [one, two] = [await train(world, core), await train(world, core)];
  assert.equal(one.text, two.text);
  await core.refused('not_found', 'GET', `/api/datasets/${'0'.repeat(64)}`);
  for (const digest of ['x', '..%2F..%2Flock.db', one.sha256.toUpperCase()])
    await core.refused('invalid_request', 'GET', `/api/datasets/${digest}`);
});

test('a data set that cannot be written is tried again, and the job goes on once it can', async (t) => {
  const world = await makeWorld(t);
  const folder = join(world.folder, 'jarvis-core/datasets');
  await mkdir(join(world.folder, 'jarvis-core'), { recursive: true });
  await writeFile(folder, 'in the way');
  const core = await startCore(world);
  await core.store(commands(5));
  const { job_id } = await core.submit();
  await core.reaches(job_id, 'starting');
  await rm(folder);
  await core.reaches(job_id, 'training');
});

test('one that cannot be written for long: the job gives its slot back, and says when it is tried again', async (t) => {
  const world = await makeWorld(t);
  await mkdir(join(world.folder, 'jarvis-core'), { recursive: true });
  await writeFile(join(world.folder, 'jarvis-core/datasets'), 'in the way');
  const core = await startCore(world);
  await core.store(commands(5));
  const { job_id } = await core.submit();
  await core.reaches(job_id, 'starting');
  await until('it to be back in the queue', async () => (await core.job(job_id)).state === 'queued');
  await until('it to say when', async () => /tried again at/.test((await core.job(job_id)).reason));
  assert.equal(world.reactor.starts.length, 0);
});
