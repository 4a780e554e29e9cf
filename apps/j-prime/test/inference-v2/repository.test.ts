// Metadata, readiness, and models put into memory and away by hand.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fixtureModel } from '../fixture-models.ts';
import { type Client, makeWorld, startPrime, until } from '../harness.ts';
import { infer, textsAsJson } from './ask.ts';

const v1 = fixtureModel({ version: 'v0.1.0', intent: 'one' });
const v2 = fixtureModel({ version: 'v0.2.0', intent: 'two' });

async function stateOf(prime: Client): Promise<string[]> {
  const { body } = await prime.call('POST', '/v2/repository/index', {});
  return (body as { version: string; state: string }[]).map((m) => `${m.version} ${m.state}`);
}

test('server and model tell what they are; before there is a version that is said', async () => {
  const world = await makeWorld();
  const prime = await startPrime(world);
  const server = (await prime.call('GET', '/v2')).body as { name: string; extensions: string[] };
  assert.equal(server.name, 'j-prime');
  assert.deepEqual(server.extensions, ['binary_tensor_data', 'model_repository']);
  for (const path of ['', '/ready', '/versions/stable', '/versions/v0.1.0/ready'])
    assert.equal((await prime.call('GET', `/v2/models/nlu${path}`)).status, 503, path);
  assert.equal((await prime.call('POST', '/v2/repository/models/nlu/load', {})).status, 503);

  world.reactor.route(v1, { model: v2, weight: 0.5 });
  await prime.serves('v0.1.0');
  await prime.waitForState('v0.2.0', 'ready');
  await prime.serves('v0.1.0');
  const metadata = {
    name: 'nlu',
    versions: ['v0.1.0', 'v0.2.0'],
    platform: 'onnx_onnxv1',
    inputs: [{ name: 'text', datatype: 'BYTES', shape: [-1] }],
    outputs: [
      { name: 'intent', datatype: 'BYTES', shape: [-1] },
      { name: 'confidence', datatype: 'FP32', shape: [-1] },
    ],
  };
  for (const path of ['', '/versions/v0.2.0', '/versions/candidate']) {
    assert.deepEqual((await prime.call('GET', `/v2/models/nlu${path}`)).body, metadata);
    assert.equal((await prime.call('GET', `/v2/models/nlu${path}/ready`)).status, 200);
  }
  for (const path of ['telepathy', 'telepathy/ready', 'nlu/versions/v9.9.9', 'nlu/versions/previous/ready']) {
    const { status, body } = await prime.call('GET', `/v2/models/${path}`);
    assert.equal(status, 404, path);
    assert.equal(typeof (body as { error: unknown }).error, 'string');
  }
});

test('unload parks a model, load and a request bring it back', async () => {
  const world = await makeWorld();
  const prime = await startPrime(world);
  world.reactor.route(v1);
  await prime.serves('v0.1.0');
  world.reactor.route(v2);
  await prime.serves('v0.2.0');
  assert.deepEqual(await stateOf(prime), ['v0.1.0 READY', 'v0.2.0 READY']);
  const previous = await infer(prime, textsAsJson('a'), '/v2/models/nlu/versions/previous/infer');
  assert.equal(previous.body.model_version, 'v0.1.0');

  for (let times = 0; times < 2; times++) {
    const unloaded = await prime.call('POST', '/v2/repository/models/nlu/unload', {});
    assert.deepEqual(unloaded, { status: 200, body: {} });
  }
  assert.deepEqual(await stateOf(prime), ['v0.2.0 UNAVAILABLE']);
  const ready = await prime.call('POST', '/v2/repository/index', { ready: true });
  assert.deepEqual(ready.body, []);
  assert.equal((await prime.call('GET', '/v2/models/nlu/ready')).status, 503, 'a look wakes nobody');
  assert.equal((await prime.call('GET', '/v2/models/nlu')).status, 200);

  assert.equal((await prime.call('POST', '/v2/repository/models/nlu/load', {})).status, 200);
  assert.deepEqual(await stateOf(prime), ['v0.2.0 READY']);
  for (const path of ['', '/versions/stable', '/versions/v0.2.0']) {
    await prime.call('POST', '/v2/repository/models/nlu/unload');
    assert.equal((await infer(prime, textsAsJson('a'), `/v2/models/nlu${path}/infer`)).status, 200, path);
  }
});

test('a model in a rollout stays, an unknown one is neither loaded nor unloaded, and the calls are documented', async () => {
  const world = await makeWorld();
  const prime = await startPrime(world);
  world.reactor.route(v1, { model: v2, weight: 0.5 });
  await prime.serves('v0.1.0');
  await prime.waitForState('v0.2.0', 'ready');
  await prime.serves('v0.1.0');
  const { status, body } = await prime.call('POST', '/v2/repository/models/nlu/unload', {});
  assert.equal(status, 409);
  assert.match((body as { error: string }).error, /rollout/);
  const { body: api } = await prime.call('GET', '/openapi.json');
  const { paths } = api as { paths: Record<string, object> };
  for (const path of ['', '/versions/{version}'])
    assert.deepEqual(Object.keys(paths[`/v2/models/{model}${path}/infer`] ?? {}), ['post']);
  for (const action of ['load', 'unload'])
    assert.equal((await prime.call('POST', `/v2/repository/models/telepathy/${action}`, {})).status, 404);
  await until('both to be there still', async () => (await stateOf(prime)).length === 2);
});
