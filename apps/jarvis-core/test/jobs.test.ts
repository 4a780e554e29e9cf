// The queue over HTTP: asked for, listed, joined, refused by name, and still there after a restart.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { InvariantReport, Job } from '@jarvis/contracts';
import { until } from '@jarvis/testkit';
import { commands } from './client.ts';
import { makeWorld, spawnCore, startCore } from './world.ts';

const VISION = {
  type: 'vision',
  input: { image_path: 'a.png' },
  expected_output: { label: 'cat' },
} as const;

test('a job goes from the queue through training to its version', async (t) => {
  const world = await makeWorld(t);
  const core = await startCore(world);
  await core.store(commands(3));
  const job = await core.submit({ model_type: 'nlu', epochs: 7, config: { learning_rate: 0.1 } });
  await core.reaches(job.job_id, 'training');
  const [start] = world.reactor.starts;
  assert.equal(start?.epochs, 7);
  assert.deepEqual(start?.config, { learning_rate: 0.1 });
  assert.equal(start?.fencing_token, 1);
  world.reactor.progress(job.job_id, 4);
  await until('the progress to be seen', async () => (await core.job(job.job_id)).epoch === 4);
  world.reactor.complete(job.job_id, 'v0.2.0');
  const done = await core.reaches(job.job_id, 'completed');
  assert.equal(done.model_version, 'v0.2.0');
  assert.equal(done.lease_id, null);
  const report = await core.ok<InvariantReport>('GET', '/api/invariants');
  assert.deepEqual(report, { checked: ['I1', 'I2', 'I3', 'I4'], broken: [] });
});

test('what cannot become a training is refused with its code, and nothing is queued', async (t) => {
  const core = await startCore(await makeWorld(t));
  await core.store(commands(3));
  const wrong: [unknown, string][] = [
    [{}, 'body.model_type'],
    [{ model_type: 'smell' }, 'body.model_type'],
    [{ model_type: 'nlu', epochs: -1 }, 'body.epochs'],
    [{ model_type: 'nlu', epochs: 1.5 }, 'body.epochs'],
    [{ model_type: 'nlu', epochs: 1_000_000 }, 'body.epochs'],
    [{ model_type: 'nlu', priority: 'urgent' }, 'body.priority'],
    [{ model_type: 'nlu', job_id: '../../etc' }, 'body.job_id'],
    [{ model_type: 'nlu', config: { learning_rate: 0 } }, 'body.config.learning_rate'],
    [{ model_type: 'nlu', need: { ram_bytes: -1, vram_bytes: {} } }, 'body.need.ram_bytes'],
    [{ model_type: 'nlu', epoch: 3 }, 'body'],
  ];
  for (const [body, path] of wrong) {
    const problem = await core.refused('invalid_request', 'POST', '/api/jobs', body);
    assert.ok(
      problem.issues?.some((i) => i.path === path),
      `${JSON.stringify(body)}: ${JSON.stringify(problem.issues)}`,
    );
  }
  for (const model_type of ['vision', 'llm']) {
    const problem = await core.refused('dataset_empty', 'POST', '/api/jobs', { model_type });
    assert.match(problem.detail, new RegExp(`no ${model_type} experience`));
  }
  assert.deepEqual(await core.jobs(), []);
});

test('one name is one job; another kind under the same name is a conflict; an equal job that waits is joined', async (t) => {
  const world = await makeWorld(t);
  await world.reactor.stop();
  const core = await startCore(world);
  await core.store([...commands(3), VISION]);
  const named = { job_id: 'mine', model_type: 'nlu' };
  const first = await core.ok<{ joined: boolean }>('POST', '/api/jobs', named);
  const again = await core.ok<{ joined: boolean }>('POST', '/api/jobs', named);
  assert.deepEqual([first.joined, again.joined], [false, true]);
  await core.refused('job_conflict', 'POST', '/api/jobs', { job_id: 'mine', model_type: 'vision' });
  const joined = await core.ok<{ job: { job_id: string }; joined: boolean }>('POST', '/api/jobs', {
    model_type: 'nlu',
  });
  assert.deepEqual([joined.job.job_id, joined.joined], ['mine', true]);
  assert.equal((await core.jobs()).length, 1);
});

test('list by state and limit; what is not there is 404, what is no name is 400', async (t) => {
  const world = await makeWorld(t);
  await world.reactor.stop();
  const core = await startCore(world);
  await core.store([...commands(3), VISION]);
  const [a, b] = [await core.submit(), await core.submit({ model_type: 'vision' })];
  await core.ok('POST', `/api/jobs/${a.job_id}/cancel`);
  const ids = async (query: string): Promise<string[]> =>
    (await core.ok<{ jobs: { job_id: string }[] }>('GET', `/api/jobs${query}`)).jobs.map((j) => j.job_id);
  assert.deepEqual((await ids('')).sort(), [a.job_id, b.job_id].sort());
  assert.deepEqual(await ids('?state=queued'), [b.job_id]);
  assert.deepEqual(await ids('?state=cancelled'), [a.job_id]);
  assert.equal((await ids('?limit=1')).length, 1);
  for (const query of ['?state=lost', '?limit=0', '?limit=many', '?limit=501'])
    await core.refused('invalid_request', 'GET', `/api/jobs${query}`);
  for (const path of ['', '/stream']) await core.refused('not_found', 'GET', `/api/jobs/nobody${path}`);
  await core.refused('not_found', 'POST', '/api/jobs/nobody/cancel');
  await core.refused('invalid_request', 'GET', '/api/jobs/..%2F..%2Fx');
});

test('the queue survives kill -9, is served by class, and each job trains once', async (t) => {
  const world = await makeWorld(t);
  await world.reactor.stop();
  const core = await spawnCore(world);
  await core.store([
    ...commands(3),
    VISION,
    { type: 'voice_auth', input: { audio_embedding: [1] }, expected_output: { speaker: 'ann' } },
  ]);
  const submitted: Job[] = [];
  for (const model_type of ['vision', 'nlu', 'voice']) submitted.push(await core.submit({ model_type }));
  const away = await until('the reason to be told', async () => {
    const job = await core.job(submitted[0]?.job_id ?? '');
    return /Reactor Core is away/.test(job.reason) ? job : null;
  });
  assert.equal(away.state, 'queued');
  await core.kill();
  const again = await startCore(world);
  assert.deepEqual(
    (await again.jobs()).map((j) => `${j.job_id} ${j.submitted_at}`).sort(),
    submitted.map((j) => `${j.job_id} ${j.submitted_at}`).sort(),
  );
  await world.reactor.start();
  for (const kind of ['voice', 'nlu', 'vision']) {
    const id = submitted.find((j) => j.model_type === kind)?.job_id ?? '';
    await again.reaches(id, 'training');
    assert.equal(world.reactor.starts.at(-1)?.model_type, kind);
    world.reactor.complete(id);
    await again.reaches(id, 'completed');
  }
  assert.equal(world.reactor.starts.length, 3);
});

test('a job that is larger than the whole budget waits with the reason, and the next one trains', async (t) => {
  const world = await makeWorld(t);
  const core = await startCore(world);
  await core.store([...commands(3), VISION]);
  const need = { ram_bytes: 200_000 * 1024 ** 3, vram_bytes: {} };
  const huge = await core.submit({ model_type: 'nlu', need });
  const small = await core.submit({ model_type: 'vision' });
  await core.reaches(small.job_id, 'training');
  const waiting = await core.job(huge.job_id);
  assert.equal(waiting.state, 'queued');
  assert.match(waiting.reason, /MAX_TOTAL_MEMORY_GB/);
});
