// Named locks over HTTP: one holder at a time, tokens that only grow, whatever happens in between.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import type { Lock } from '@jarvis/contracts';
import { until } from '@jarvis/testkit';
import { type Client, commands } from './client.ts';
import { makeWorld, spawnCore, startCore } from './world.ts';

interface Granted {
  readonly name: string;
  readonly holder: string;
  readonly token: number;
  readonly ttl_seconds: number;
}
const at = (name: string, action: string): string => `/api/locks/${encodeURIComponent(name)}/${action}`;
const acquire = (core: Client, name: string, holder: string, ttl_seconds?: number): Promise<Granted> =>
  core.ok('POST', at(name, 'acquire'), { holder, ...(ttl_seconds === undefined ? {} : { ttl_seconds }) });
const release = (core: Client, { name, holder, token }: Granted): Promise<{ released: boolean }> =>
  core.ok('POST', at(name, 'release'), { holder, token });
const locks = async (core: Client): Promise<Lock[]> =>
  (await core.ok<{ locks: Lock[] }>('GET', '/api/locks')).locks;

test('held by one, it is refused to others with the holder; given back, the next token is higher', async (t) => {
  const core = await startCore(await makeWorld(t));
  const first = await acquire(core, 'reports', 'a');
  assert.deepEqual(first, { name: 'reports', holder: 'a', token: 1, ttl_seconds: 60 });
  const problem = await core.refused('lock_held', 'POST', at('reports', 'acquire'), { holder: 'b' });
  assert.equal(problem.status, 409);
  assert.equal(problem.active_job_id, 'a');
  assert.ok((problem.retry_after_seconds ?? 0) > 0);
  assert.deepEqual(await acquire(core, 'reports', 'a'), first, 'its holder may ask again');
  assert.deepEqual(await release(core, first), { name: 'reports', released: true });
  assert.equal((await acquire(core, 'reports', 'b')).token, 2);
  assert.deepEqual(
    await release(core, first),
    { name: 'reports', released: false },
    'an old token frees nothing',
  );
  assert.equal((await locks(core)).find((l) => l.name === 'reports')?.holder, 'b');
});

test('who asks and hangs up at once holds nothing, though nobody has heard of it when the grant is stored', async (t) => {
  const core = await startCore(await makeWorld(t));
  const { hostname, port } = new URL(core.url);
  const socket = connect(Number(port), hostname);
  await once(socket, 'connect');
  const body = JSON.stringify({ holder: 'gone' });
  const head = `POST ${at('reports', 'acquire')} HTTP/1.1\r\nhost: ${hostname}\r\ncontent-type: application/json`;
  socket.end(`${head}\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
  const found = async (): Promise<Lock | undefined> => (await locks(core)).find((l) => l.name === 'reports');
  await until('the grant', async () => (await found())?.token === 1);
  await until('the lock to be free', async () => (await found())?.holder === null);
  assert.equal((await acquire(core, 'reports', 'next')).token, 2);
});

test('of many that ask at once, one gets it', async (t) => {
  const core = await startCore(await makeWorld(t));
  const answers = await Promise.all(
    Array.from({ length: 12 }, (_, i) => core.call('POST', at('reports', 'acquire'), { holder: `h${i}` })),
  );
  assert.deepEqual(
    answers.map((a) => a.status).sort((a, b) => a - b),
    [200, ...Array<number>(11).fill(409)],
  );
});

test('tokens go on across release, kill -9 and a restart; a lock that is held stays held', async (t) => {
  const world = await makeWorld(t);
  const core = await spawnCore(world);
  for (let token = 1; token <= 5; token += 1) {
    const granted = await acquire(core, 'reports', `h${token}`);
    assert.equal(granted.token, token);
    if (token < 5) await release(core, granted);
  }
  await core.kill();
  const again = await startCore(world);
  const problem = await again.refused('lock_held', 'POST', at('reports', 'acquire'), { holder: 'other' });
  assert.equal(problem.active_job_id, 'h5');
  await release(again, { name: 'reports', holder: 'h5', token: 5, ttl_seconds: 60 });
  assert.equal((await acquire(again, 'reports', 'other')).token, 6);
});

test('renewing needs holder and token, and lasts as long as the grant', async (t) => {
  const core = await startCore(await makeWorld(t));
  const { token } = await acquire(core, 'reports', 'a', 600);
  const renewed = await core.ok<Granted>('POST', at('reports', 'renew'), { holder: 'a', token });
  assert.equal(renewed.ttl_seconds, 600);
  const expires = (await locks(core)).find((l) => l.name === 'reports')?.expires_at ?? '';
  assert.ok(Date.parse(expires) > Date.now() + 500_000, expires);
  for (const body of [
    { holder: 'a', token: token + 1 },
    { holder: 'b', token },
  ]) {
    const problem = await core.refused('lock_lost', 'POST', at('reports', 'renew'), body);
    assert.equal(problem.status, 409);
  }
  await core.refused('lock_lost', 'POST', at('nothing', 'renew'), { holder: 'a', token });
});

test('a lock whose time is over goes to the next, with a higher token, and its old holder is told', async (t) => {
  const core = await startCore(await makeWorld(t));
  const old = await acquire(core, 'reports', 'a', 0.05);
  const next = await until('its time to be over', async () => {
    const answer = await core.call('POST', at('reports', 'acquire'), { holder: 'b' });
    return answer.status === 200 ? (answer.body as Granted) : null;
  });
  assert.equal(next.token, old.token + 1);
  await core.refused('lock_lost', 'POST', at('reports', 'renew'), { holder: 'a', token: old.token });
  assert.equal((await release(core, old)).released, false);
});

test("a training slot's time alone does not free it: Reactor Core has to say that no run holds it", async (t) => {
  const world = await makeWorld(t);
  await world.reactor.stop();
  const core = await startCore(world);
  await acquire(core, 'training/0', 'stranger', 0.01);
  await until('its time to be over', async () => {
    const lock = (await locks(core)).find((l) => l.name === 'training/0');
    return Date.parse(lock?.expires_at ?? '') < Date.now();
  });
  await core.refused('lock_held', 'POST', at('training/0', 'acquire'), { holder: 'other' });
  await world.reactor.start();
  await until('the slot to be free', async () => (await locks(core))[0]?.state === 'free');
  assert.equal((await acquire(core, 'training/0', 'other')).token, 2);
});

test('with fewer slots than before, one that is free is not given out, to jobs or to others', async (t) => {
  const world = await makeWorld(t);
  const two = await startCore(world, { MAX_CONCURRENT_TRAINING_JOBS: '2' });
  await release(two, await acquire(two, 'training/1', 'a'));
  await two.stop();
  const one = await startCore(world, { MAX_CONCURRENT_TRAINING_JOBS: '1' });
  await one.refused('not_found', 'POST', at('training/1', 'acquire'), { holder: 'a' });
  const vision = {
    type: 'vision',
    input: { image_path: 'a.png' },
    expected_output: { label: 'cat' },
  } as const;
  await one.store([...commands(3), vision]);
  const first = await one.submit({ model_type: 'nlu' });
  await one.reaches(first.job_id, 'training');
  const second = await one.submit({ model_type: 'vision' });
  await until('the second to be explained', async () =>
    /the slot is held by/.test((await one.job(second.job_id)).reason),
  );
  assert.equal((await one.job(second.job_id)).state, 'queued');
  await one.stop();
  const again = await startCore(world, { MAX_CONCURRENT_TRAINING_JOBS: '2' });
  await again.reaches(second.job_id, 'training');
  assert.equal((await again.job(second.job_id)).token, 2, 'its tokens went on');
});

test('what does not fit is refused by name', async (t) => {
  const core = await startCore(await makeWorld(t));
  await core.refused('not_found', 'POST', at('training/7', 'acquire'), { holder: 'a' });
  const wrong: [string, unknown][] = [
    [at('a b', 'acquire'), { holder: 'a' }],
    [at('../x', 'acquire'), { holder: 'a' }],
    [at('x', 'acquire'), {}],
    [at('x', 'acquire'), { holder: 'a', ttl_seconds: 0 }],
    [at('x', 'acquire'), { holder: 'a', ttl_seconds: 1e9 }],
    [at('x', 'acquire'), { holder: 'a', ttl: 5 }],
    [at('x', 'renew'), { holder: 'a', token: '1' }],
    [at('x', 'release'), { holder: 'a' }],
  ];
  for (const [path, body] of wrong) await core.refused('invalid_request', 'POST', path, body);
  assert.deepEqual(
    (await locks(core)).map((l) => l.name),
    ['training/0'],
  );
});
