// Inference by the protocol against a real J-Prime: batches, binary data, versions and sessions, and how it refuses.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fixtureModel, TRIP_WORD } from '../fixture-models.ts';
import { makeWorld, type RunningPrime, startPrime, until, type World } from '../harness.ts';
import { writeBytesElements } from '../../src/protocols/inference-v2/binary.ts';
import { ROWS_PER_REQUEST_MAX } from '../../src/protocols/inference-v2/request-tensors.ts';
import { INFER, infer, sendBytes, textsAsBytes, textsAsJson } from './ask.ts';

const v1 = fixtureModel({ version: 'v0.1.0', intent: 'one' });
const v2 = fixtureModel({ version: 'v0.2.0', intent: 'two' });

async function serving(): Promise<World & { prime: RunningPrime }> {
  const world = await makeWorld();
  const prime = await startPrime(world);
  world.reactor.route(v1);
  await prime.serves('v0.1.0');
  return { ...world, prime };
}

async function inRollout(candidate = v2, weight = 1): Promise<World & { prime: RunningPrime }> {
  const made = await makeWorld();
  const world = { ...made, environment: { ...made.environment, ROLLOUT_SHADOW_SHARE: '1' } };
  const prime = await startPrime(world);
  world.reactor.route(v1, { model: candidate, weight });
  await prime.waitForState('v0.2.0', 'ready');
  await prime.serves('v0.1.0');
  return { ...world, prime };
}

test('texts in, intents out: one, many, as a column, nested or not', async () => {
  const { prime } = await serving();
  const { status, body } = await infer(prime, { id: 'request-1', ...textsAsJson('hello') });
  assert.equal(status, 200);
  const { confidence } = await prime.predict('hello');
  assert.deepEqual(body, {
    model_name: 'nlu',
    model_version: 'v0.1.0',
    id: 'request-1',
    outputs: [
      { name: 'intent', datatype: 'BYTES', shape: [1], data: ['one'] },
      { name: 'confidence', datatype: 'FP32', shape: [1], data: [Math.fround(confidence)] },
    ],
  });
  const column = { name: 'text', datatype: 'BYTES', shape: [2, 1] };
  for (const data of [
    ['a', 'b'],
    [['a'], ['b']],
  ]) {
    const answer = await infer(prime, { inputs: [{ ...column, data }] });
    assert.deepEqual(answer.body.outputs[0]?.data, ['one', 'one']);
    assert.equal('id' in answer.body, false);
  }
  const texts = Array.from({ length: ROWS_PER_REQUEST_MAX }, (_, i) => `text ${i}`);
  const many = await infer(prime, textsAsJson(...texts));
  assert.equal(many.body.outputs[1]?.data?.length, ROWS_PER_REQUEST_MAX);
  const only = await infer(prime, { ...textsAsJson('a'), outputs: [{ name: 'confidence' }] });
  assert.deepEqual(
    only.body.outputs.map(({ name }) => name),
    ['confidence'],
  );
});

test('binary data in and out, with and without a content type', async () => {
  const { prime } = await serving();
  const { head, body } = textsAsBytes(['hello', 'ünïcode'], { parameters: { binary_data_output: true } });
  for (const type of [{}, { 'content-type': 'application/octet-stream' }] as Record<string, string>[]) {
    const answer = await sendBytes(prime, body, { ...type, 'inference-header-content-length': `${head}` });
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get('content-type'), 'application/octet-stream');
    const bytes = Buffer.from(await answer.arrayBuffer());
    const jsonBytes = Number(answer.headers.get('inference-header-content-length'));
    const { outputs } = JSON.parse(bytes.subarray(0, jsonBytes).toString()) as { outputs: object[] };
    const texts = writeBytesElements(['one', 'one']);
    assert.deepEqual(outputs, [
      { name: 'intent', datatype: 'BYTES', shape: [2], parameters: { binary_data_size: texts.length } },
      { name: 'confidence', datatype: 'FP32', shape: [2], parameters: { binary_data_size: 8 } },
    ]);
    const tail = bytes.subarray(jsonBytes);
    assert.deepEqual(tail.subarray(0, texts.length), texts);
    assert.equal(tail.readFloatLE(texts.length), Math.fround((await prime.predict('hello')).confidence));
    assert.equal(tail.length, texts.length + 8);
  }
  const json = await sendBytes(prime, Buffer.from(JSON.stringify(textsAsJson('hello'))), {});
  assert.equal(json.status, 200, 'without the header all of it is JSON');
});

const text = { name: 'text', datatype: 'BYTES', shape: [1], data: ['a'] };
const REFUSED: readonly [what: string, path: string, body: unknown, status: number, says: RegExp][] = [
  ['unknown model', '/v2/models/telepathy/infer', textsAsJson('a'), 404, /no model "telepathy"/],
  ['a kind without tensors', '/v2/models/llm/infer', textsAsJson('a'), 404, /no model "llm"/],
  ['unknown version', '/v2/models/nlu/versions/v9.9.9/infer', textsAsJson('a'), 404, /it has v0\.1\.0/],
  ['no rollout', '/v2/models/nlu/versions/candidate/infer', textsAsJson('a'), 404, /"candidate"/],
  ['no inputs', INFER, {}, 400, /inputs/],
  ['no object', INFER, [], 400, /object/],
  ['unknown input', INFER, { inputs: [{ ...text, name: 'txt' }] }, 400, /no such input; .* "text"/],
  ['twice', INFER, { inputs: [text, text] }, 400, /there twice/],
  ['datatype', INFER, { inputs: [{ ...text, datatype: 'INT64' }] }, 400, /it is BYTES, not INT64/],
  ['shape', INFER, { inputs: [{ ...text, shape: [1, 2] }] }, 400, /its shape is \[n\], not \[1, 2\]/],
  ['no rows', INFER, { inputs: [{ ...text, shape: [0], data: [] }] }, 400, /1 to 256 rows, not 0/],
  ['too many', INFER, { inputs: [{ ...text, shape: [257] }] }, 400, /1 to 256 rows, not 257/],
  ['too few data', INFER, { inputs: [{ ...text, shape: [2] }] }, 400, /is 2 elements, not 1/],
  ['no data', INFER, { inputs: [{ ...text, data: undefined }] }, 400, /neither data nor binary/],
  ['numbers', INFER, { inputs: [{ ...text, data: [7] }] }, 400, /a string/],
  ['empty text', INFER, textsAsJson(''), 400, /1 to \d+ characters/],
  ['unknown output', INFER, { ...textsAsJson('a'), outputs: [{ name: 'mood' }] }, 400, /no output "mood"/],
  ['negative shape', INFER, { inputs: [{ ...text, shape: [-1] }] }, 400, /shape/],
  [
    'shared memory',
    INFER,
    { inputs: [{ ...text, parameters: { shared_memory_region: 'r' } }] },
    400,
    /shared/,
  ],
  ['no session', INFER, { ...textsAsJson('a'), parameters: { session_id: '' } }, 400, /session_id/],
];

test('what does not fit is refused with its status, in the form of the protocol', async () => {
  const { prime } = await serving();
  for (const [what, path, body, status, says] of REFUSED) {
    const answer = await infer(prime, body, path);
    assert.equal(answer.status, status, `${what}: ${JSON.stringify(answer.body)}`);
    assert.match(answer.body.error ?? '', says, what);
  }
  const models = (await prime.resources()).models;
  assert.equal(models[0]?.failures, 0, 'none of it is a failure of the model');
});

test('malformed bytes are refused, and the next request is answered', async () => {
  const { prime } = await serving();
  const { head, body } = textsAsBytes(['hello']);
  const lying = Buffer.from(body);
  lying.writeUInt32LE(0xffff_fff0, head);
  const notText = Buffer.from(body);
  notText[body.length - 1] = 0xff;
  const cases: [string, Buffer, Record<string, string>, number, RegExp][] = [
    ['cut off', body.subarray(0, -1), { 'inference-header-content-length': `${head}` }, 400, /are left/],
    ['a lie', lying, { 'inference-header-content-length': `${head}` }, 400, /4294967280 bytes/],
    ['no UTF-8', notText, { 'inference-header-content-length': `${head}` }, 400, /UTF-8/],
    ['too long a head', body, { 'inference-header-content-length': '9999' }, 400, /and the body has/],
    ['a negative head', body, { 'inference-header-content-length': '-1' }, 400, /a number of bytes/],
    ['an empty head', body, { 'inference-header-content-length': '0' }, 400, /empty/],
    ['no head', body, {}, 400, /not JSON/],
    ['compressed', body, { 'content-encoding': 'gzip' }, 415, /Content-Encoding/],
    ['a form', body, { 'content-type': 'text/plain' }, 415, /text\/plain/],
  ];
  for (const [what, bytes, headers, status, says] of cases) {
    const answer = await sendBytes(prime, bytes, headers);
    const { error } = (await answer.json()) as { error: string };
    assert.equal(answer.status, status, `${what}: ${error}`);
    assert.match(error, says, what);
  }
  const good = await sendBytes(prime, body, { 'inference-header-content-length': `${head}` });
  assert.equal(good.status, 200);
});

test('a body over the limit is refused before it is read', async () => {
  const world = await makeWorld();
  const environment = { ...world.environment, HTTP_BODY_LIMIT_MB: '0.01' };
  const prime = await startPrime({ ...world, environment });
  const { head, body } = textsAsBytes(['x'.repeat(20_000)]);
  const answer = await sendBytes(prime, body, { 'inference-header-content-length': `${head}` });
  assert.equal(answer.status, 413);
  assert.match(((await answer.json()) as { error: string }).error, /over the limit/);
});

test('without a version a session keeps its own, by session_id or else by id, as with /api/predict', async () => {
  const { prime } = await inRollout(v2, 0.5);
  const seen = new Set<string>();
  for (let i = 0; i < 40; i++) {
    const { version } = await prime.predict('hello', `session-${i}`);
    const byId = await infer(prime, { id: `session-${i}`, ...textsAsJson('a', 'b') });
    const parameters = { session_id: `session-${i}` };
    const bySession = await infer(prime, { id: 'another', parameters, ...textsAsJson('a') });
    assert.equal(byId.body.model_version, version);
    assert.equal(bySession.body.model_version, version);
    const intent = version === 'v0.2.0' ? 'two' : 'one';
    assert.deepEqual(byId.body.outputs[0]?.data, [intent, intent]);
    seen.add(version);
  }
  assert.equal(seen.size, 2);
});

test('a batch is one piece of evidence; a request to a version by name is none', async () => {
  const { reactor, prime } = await inRollout();
  for (const version of ['v0.1.0', 'stable', 'champion', 'v0.2.0', 'candidate', 'challenger']) {
    const { body } = await infer(prime, textsAsJson('a'), `/v2/models/nlu/versions/${version}/infer`);
    const isStable = ['v0.1.0', 'stable', 'champion'].includes(version);
    assert.equal(body.model_version, isStable ? 'v0.1.0' : 'v0.2.0', version);
    assert.deepEqual(body.outputs[0]?.data, [isStable ? 'one' : 'two']);
  }
  assert.equal((await infer(prime, textsAsJson('a', 'b', 'c'))).body.model_version, 'v0.2.0');
  const shadowed = (): number =>
    reactor.heard().reduce((sum, e) => sum + (e.kind === 'shadowed' ? e.count : 0), 0);
  await until('the batch to be heard of', () => reactor.countRequests('candidate') > 0);
  await until('its shadow, too', () => shadowed() > 0);
  await until('the outbox to be empty', async () => (await prime.health()).outbox_pending === 0);
  assert.equal(reactor.countRequests('candidate'), 1);
  assert.equal(reactor.countRequests('stable'), 0);
  assert.equal(shadowed(), 1);
});

test('a batch that the candidate fails is answered by stable alone; a failure of a version by name is told', async () => {
  const failing = fixtureModel({ version: 'v0.2.0', intent: 'two', failsOnTrip: true });
  const { reactor, prime } = await inRollout(failing);
  const answer = await infer(prime, { id: 's', ...textsAsJson('a', TRIP_WORD, 'b') });
  assert.equal(answer.body.model_version, 'v0.1.0');
  assert.deepEqual(answer.body.outputs[0]?.data, ['one', 'one', 'one']);
  await until('the failure to be heard of', () => reactor.heard().some((e) => e.kind === 'failed'));
  const named = await infer(prime, textsAsJson(TRIP_WORD), '/v2/models/nlu/versions/candidate/infer');
  assert.equal(named.status, 503);
  assert.match(named.body.error ?? '', /v0\.2\.0 could not answer/);
  await until('the outbox to be empty', async () => (await prime.health()).outbox_pending === 0);
  assert.equal(reactor.heard().filter((e) => e.kind === 'failed').length, 1);
});
