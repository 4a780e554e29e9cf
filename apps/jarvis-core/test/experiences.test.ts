// Experiences over HTTP: each batch counts once, what does not fit is refused whole and by name, and 2xx means kept.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ExperienceStats } from '@jarvis/contracts';
import { commands } from './client.ts';
import { makeWorld, spawnCore, startCore } from './world.ts';

const PATH = '/api/experiences';

test('a batch counts once for its Idempotency-Key; without one, each call is a batch of its own', async (t) => {
  const core = await startCore(await makeWorld(t));
  const first = await core.store(commands(3), 'batch-1');
  assert.deepEqual(first, { batch_id: 'batch-1', stored: 3, repeated: false });
  const again = await core.store(commands(3), 'batch-1');
  assert.deepEqual(again, { batch_id: 'batch-1', stored: 3, repeated: true });
  assert.equal(await core.count(), 3);
  const [one, two] = [await core.store(commands(1)), await core.store(commands(1))];
  assert.notEqual(one.batch_id, two.batch_id);
  assert.equal(await core.count(), 5);
});

test('the same key with another body is refused, and nothing of it is stored', async (t) => {
  const core = await startCore(await makeWorld(t));
  await core.store(commands(3), 'batch-1');
  const other = { experiences: commands(4) };
  const problem = await core.refused('idempotency_conflict', 'POST', PATH, other, {
    'idempotency-key': 'batch-1',
  });
  assert.equal(problem.status, 409);
  assert.match(problem.detail, /batch-1/);
  assert.equal(await core.count(), 3);
});

test('sent at the same moment, a batch still counts once', async (t) => {
  const core = await startCore(await makeWorld(t));
  const answers = await Promise.all(Array.from({ length: 8 }, () => core.store(commands(5), 'batch-1')));
  assert.equal(answers.filter((a) => !a.repeated).length, 1);
  assert.equal(await core.count(), 5);
});

test('stats: by kind and source, what can be learned from, and what is new', async (t) => {
  const core = await startCore(await makeWorld(t));
  await core.store([
    ...commands(4),
    { type: 'command', input: { text: 'hm' }, success: false },
    { type: 'vision', input: { image_path: 'a.png' }, expected_output: { label: 'cat' } },
    { type: 'voice_auth', input: { audio_embedding: [0, 1] }, expected_output: { speaker: 'ann' } },
    { type: 'interaction', input: { a: 'x', b: 'y' }, expected_output: { score: 0.5 } },
  ]);
  assert.deepEqual(await core.ok<ExperienceStats>('GET', `${PATH}/stats`), {
    total: 8,
    by_kind: {
      nlu: { total: 5, trainable: 4, new_since_training: 4 },
      vision: { total: 1, trainable: 1, new_since_training: 1 },
      voice: { total: 1, trainable: 1, new_since_training: 1 },
      embedding: { total: 1, trainable: 1, new_since_training: 1 },
    },
    by_source: { api: 8 },
  });
});

test('what does not fit is refused by name, and not one of its batch is stored', async (t) => {
  const core = await startCore(await makeWorld(t));
  const good = commands(1)[0];
  const wrong: [string, unknown, RegExp][] = [
    ['no body of this shape', {}, /^body\.experiences$/],
    ['an empty batch', { experiences: [] }, /^body\.experiences$/],
    ['not a list', { experiences: 'all' }, /^body\.experiences$/],
    [
      'an unknown type',
      { experiences: [good, { type: 'smell', input: {} }] },
      /^body\.experiences\.1\.type$/,
    ],
    [
      'input of another type',
      { experiences: [good, { type: 'command', input: 'hello' }] },
      /^body\.experiences\.1\.input$/,
    ],
    [
      'a number as text',
      { experiences: [{ type: 'command', input: { text: 7 } }] },
      /^body\.experiences\.0\.input\.text$/,
    ],
    [
      'the output of another kind',
      { experiences: [{ ...good, expected_output: { label: 'cat' } }] },
      /expected_output/,
    ],
    [
      'a confidence over 1',
      { experiences: [{ ...good, confidence: 1.5 }] },
      /^body\.experiences\.0\.confidence$/,
    ],
    ['a misspelt field', { experiences: [good, { ...good, expected_ouput: {} }] }, /^body\.experiences\.1/],
    ['a field beside the list', { experiences: [good], batchid: 'b' }, /^body/],
  ];
  for (const [what, body, path] of wrong) {
    const problem = await core.refused('invalid_request', 'POST', PATH, body);
    assert.equal(problem.status, 400, what);
    assert.ok(
      problem.issues?.some((i) => path.test(i.path)),
      `${what}: ${JSON.stringify(problem.issues)}`,
    );
  }
  const misspelt = await core.refused('invalid_request', 'POST', PATH, {
    experiences: [{ ...good, expected_ouput: {} }],
  });
  assert.match(misspelt.detail, /expected_ouput/, 'the field is named');
  assert.equal(await core.count(), 0);
});

test('a key that is no name is refused; so are text that is not JSON, other media and a body over the limit', async (t) => {
  const core = await startCore(await makeWorld(t), { HTTP_BODY_LIMIT_MB: '0.01' });
  const body = { experiences: commands(1) };
  const problem = await core.refused('invalid_request', 'POST', PATH, body, { 'idempotency-key': '../x' });
  assert.match(problem.issues?.[0]?.path ?? '', /^headers\.idempotency-key$/);
  await core.refused('malformed_json', 'POST', PATH, '{"experiences": [', {});
  await core.refused('malformed_json', 'POST', PATH, '', {});
  await core.refused('unsupported_media_type', 'POST', PATH, 'a=b', { 'content-type': 'text/plain' });
  const huge = await core.refused('body_too_large', 'POST', PATH, { experiences: commands(1000) });
  assert.equal(huge.status, 413);
  assert.equal(await core.count(), 0);
});

test('what was answered with 2xx is there after kill -9; the batch sent again counts once', async (t) => {
  const world = await makeWorld(t);
  const core = await spawnCore(world);
  let acknowledged = 0;
  const sending = (async () => {
    for (let i = 0; ; i += 1) {
      await core.store(commands(7, 'lights_on', `round ${i}`), `batch-${i}`);
      acknowledged = i + 1;
      if (acknowledged === 20) core.child.kill('SIGKILL');
    }
  })();
  await assert.rejects(sending);
  await core.kill();
  const again = await spawnCore(world);
  const kept = await again.count();
  assert.equal(kept % 7, 0, 'a batch is stored whole or not at all');
  assert.ok(
    kept >= acknowledged * 7,
    `${acknowledged} batches were acknowledged, ${kept} experiences are there`,
  );
  const repeated = await again.store(commands(7, 'lights_on', 'round 0'), 'batch-0');
  assert.equal(repeated.repeated, true);
  assert.equal(await again.count(), kept);
});
