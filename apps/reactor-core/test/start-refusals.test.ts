// What a start is refused for: each a problem with a stable code and, where one is to blame, the field. Nothing is kept.
import assert from 'node:assert/strict';
import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import type { ErrorCode } from '@jarvis/contracts';
import { commands } from './experiences.ts';
import { makeWorld, type Reactor, type World } from './harness.ts';
import { until } from './until.ts';

const START = '/api/training/start';

let token = 0;

/** A token that was refused is spent. */
function withNextToken(body: unknown): unknown {
  const asks = typeof body === 'object' && (body as { fencing_token?: number }).fencing_token === 1;
  return asks ? { ...body, fencing_token: (token += 1) } : body;
}

async function refused(
  { world, reactor }: { world: World; reactor: Reactor },
  body: unknown,
  [code, field]: [ErrorCode, string?],
): Promise<void> {
  const { issues } = await reactor.problem(code, ['POST', START, withNextToken(body)]);
  if (field !== undefined)
    assert.ok(
      issues?.some(({ path }) => path === field),
      JSON.stringify(issues),
    );
  assert.deepEqual(await readdir(world.file('runs')), [], 'no folder is left of it');
  assert.deepEqual(await reactor.runs(), []);
  assert.deepEqual(await world.trainers(), []);
}

test('fields that do not fit are refused by name', async (t) => {
  const world = await makeWorld(t);
  const place = { world, reactor: await world.start() };
  const body = world.body({});
  await refused(place, { ...body, model_type: 'smell' }, ['invalid_request', 'body.model_type']);
  await refused(place, { ...body, epochs: -1 }, ['invalid_request', 'body.epochs']);
  await refused(place, { ...body, epochs: 1.5 }, ['invalid_request', 'body.epochs']);
  await refused(place, { ...body, checkpoint_interval: 0 }, ['invalid_request', 'body.checkpoint_interval']);
  await refused(place, { ...body, fencing_token: 0 }, ['invalid_request', 'body.fencing_token']);
  await refused(place, { ...body, job_id: '../../etc' }, ['invalid_request', 'body.job_id']);
  await refused(place, { ...body, experiences: [] }, ['invalid_request', 'body.experiences']);
  await refused(place, { ...body, experiences: undefined }, ['invalid_request', 'body.experiences']);
  await refused(place, { ...body, dataset_path: 'x' }, ['invalid_request', 'body.experiences']);
  const config = { learning_rate: -1 };
  await refused(place, { ...body, config }, ['invalid_request', 'body.config.learning_rate']);
  const wrong = { type: 'command', input: { text: '' } };
  await refused(place, { ...body, experiences: [wrong] }, [
    'invalid_request',
    'body.experiences.0.input.text',
  ]);
  await refused(place, 'null', ['invalid_request']);
});

test('a kind that nothing trains is refused, with what to set', async (t) => {
  const world = await makeWorld(t);
  const place = { world, reactor: await world.start() };
  const body = world.body({ model_type: 'vision' });
  await refused(place, body, ['unsupported_model_type', 'body.model_type']);
  const again = withNextToken(body);
  const { detail } = await place.reactor.problem('unsupported_model_type', ['POST', START, again]);
  assert.match(detail, /TRAINER_VISION_COMMAND/);
});

test('a body that is no JSON, or too large, is refused', async (t) => {
  const world = await makeWorld(t, { env: { HTTP_BODY_LIMIT_MB: '0.01' } });
  const place = { world, reactor: await world.start() };
  await refused(place, '{"job_id": ', ['malformed_json']);
  await refused(place, world.body({ experiences: commands(8, 20) }), ['body_too_large']);
});

test('experiences of another kind, or without an answer, leave nothing to learn from', async (t) => {
  const world = await makeWorld(t);
  const place = { world, reactor: await world.start() };
  const interaction = {
    type: 'interaction' as const,
    input: { a: 'a', b: 'b' },
    expected_output: { score: 1 },
  };
  await refused(place, world.body({ experiences: [interaction] }), ['dataset_empty', 'body.experiences']);
  const unanswered = { type: 'command' as const, input: { text: 'hello' } };
  await refused(place, world.body({ experiences: [unanswered] }), ['dataset_empty', 'body.experiences']);
});

test('a dataset_path counts only below the allowed folder, also when links are followed', async (t) => {
  const world = await makeWorld(t);
  const place = { world, reactor: await world.start() };
  const data = join(world.home, 'data');
  const outside = join(world.home, 'outside.json');
  await writeFile(outside, JSON.stringify(commands(2, 2)));
  await symlink(outside, join(data, 'link.json'));
  await mkdir(join(data, 'folder'));
  await symlink(world.home, join(data, 'home'));
  const paths = [outside, '../outside.json', 'link.json', 'home/outside.json', 'folder', '.', 'nothing.json'];
  const from = (dataset_path: string) => ({ ...world.body({}), experiences: undefined, dataset_path });
  for (const path of [...paths, '/etc/passwd', '/proc/self/environ'])
    await refused(place, from(path), ['path_not_allowed', 'body.dataset_path']);
  await writeFile(join(data, 'good.json'), JSON.stringify(commands(2, 2)));
  assert.equal((await place.reactor.start(withNextToken(from('good.json')) as never)).status, 'started');
  await place.reactor.eventsToEnd('job-1');
});

test('a dataset file that is neither a list nor lines of rows is refused with the entry', async (t) => {
  const world = await makeWorld(t);
  const place = { world, reactor: await world.start() };
  const from = (dataset_path: string) => ({ ...world.body({}), experiences: undefined, dataset_path });
  const put = (name: string, text: string) => writeFile(join(world.home, 'data', name), text);
  await put('torn.json', '[{"type":');
  await refused(place, from('torn.json'), ['dataset_corrupt']);
  await put('mixed.json', JSON.stringify([...commands(1, 1), { nothing: true }]));
  await refused(place, from('mixed.json'), ['invalid_request', 'entry 2']);
  await put('empty.json', '[]');
  await refused(place, from('empty.json'), ['dataset_empty']);
});

test('recordings and pictures may be named only below the allowed folder', async (t) => {
  const world = await makeWorld(t, { env: { TRAINER_VOICE_COMMAND: 'true' } });
  const place = { world, reactor: await world.start() };
  const input = { audio_path: '/etc/passwd' };
  const spoken = { type: 'voice_auth' as const, input, expected_output: { speaker: 'me' } };
  const body = world.body({ model_type: 'voice', experiences: [spoken] });
  await refused(place, body, ['path_not_allowed', 'body.experiences.input.audio_path']);
});

test('a data set is fetched by its URL and held against its digest and count', async (t) => {
  const world = await makeWorld(t);
  const place = { world, reactor: await world.start() };
  const dataset = { url: `${world.core.url}/health`, sha256: 'a'.repeat(64), rows: 1 };
  const body = { ...world.body({}), experiences: undefined, dataset };
  await refused(place, body, ['dataset_corrupt']);
  await refused(place, { ...body, dataset: { ...dataset, url: 'file:///etc/passwd' } }, ['invalid_request']);
  await world.core.stop();
  await refused(place, body, ['service_unavailable']);
});

test('data that the disk has no room for is refused as such, and nothing is left', async (t) => {
  const world = await makeWorld(t);
  const place = { world, reactor: await world.start() };
  await fullDisk(world, 'dataset.ndjson.partial');
  await refused(place, world.body({}), ['storage_full']);
  assert.equal((await place.reactor.start(withNextToken(world.body({})) as never)).attempt, 1);
  assert.equal((await place.reactor.eventsToEnd('job-1')).at(-1)?.name, 'completed');
});

test('a trainer whose job file the disk has no room for was never started; a higher token goes on', async (t) => {
  const world = await makeWorld(t);
  const reactor = await world.start();
  await fullDisk(world, 'attempt-1/job.json');
  await reactor.start(world.body({}));
  await reactor.eventsUntil('job-1', (e) => e.data['status'] === 'lost');
  assert.match((await reactor.status('job-1')).error ?? '', /could not be started: ENOSPC/);
  assert.deepEqual(await world.starts('job-1'), []);
  assert.deepEqual(await reactor.runs('?live=true'), []);
  assert.equal((await reactor.start(world.body({ fencing_token: 2 }))).attempt, 2);
  assert.equal((await reactor.eventsToEnd('job-1')).at(-1)?.name, 'completed');
});

test('a run that cannot be stored is refused and leaves nothing, its token may be asked with again', async (t) => {
  const world = await makeWorld(t);
  const place = { world, reactor: await world.start() };
  using store = new DatabaseSync(world.file('reactor-core.db'));
  // Neither the run nor that its token was refused can be written.
  store.exec("CREATE TRIGGER shut BEFORE INSERT ON slots BEGIN SELECT RAISE(ABORT, 'shut'); END");
  await refused(place, world.body({}), ['internal']);
  const unanswered = { type: 'command' as const, input: { text: 'hello' } };
  await refused(place, world.body({ experiences: [unanswered] }), ['service_unavailable']);
  store.exec('DROP TRIGGER shut');
  assert.equal(
    (await place.reactor.start(world.body({ fencing_token: token }))).attempt,
    1,
    'that same token',
  );
  await place.reactor.eventsToEnd('job-1');
});

test('a trainer that could not be started, nor its run be ended, is ended as soon as that can be stored', async (t) => {
  const world = await makeWorld(t, { env: { TRAINER_NLU_COMMAND: '/nowhere/trainer' } });
  const reactor = await world.start();
  using store = new DatabaseSync(world.file('reactor-core.db'));
  const shut = "BEFORE UPDATE OF state ON runs BEGIN SELECT RAISE(ABORT, 'shut'); END";
  store.exec(`CREATE TRIGGER shut ${shut}`);
  await reactor.start(world.body({ last_attempt: true }));
  assert.equal((await reactor.status('job-1')).status, 'accepted');
  assert.equal((await reactor.runs('?live=true')).length, 1);
  store.exec('DROP TRIGGER shut');
  assert.equal((await reactor.eventsToEnd('job-1')).at(-1)?.name, 'failed');
  await until('its slot to be free', async () => (await reactor.runs('?live=true')).length === 0);
  assert.equal((await reactor.start(world.body({ job_id: 'job-2', fencing_token: 2 }))).attempt, 1);
  await reactor.eventsUntil('job-2', (e) => e.data['status'] === 'lost');
});

/** What is written under this name of job-1 meets a disk without room. */
async function fullDisk(world: World, name: string): Promise<void> {
  const path = world.file('runs', 'job-1', name);
  await mkdir(dirname(path), { recursive: true });
  await symlink('/dev/full', path);
}
