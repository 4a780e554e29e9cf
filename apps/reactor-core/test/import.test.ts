// Models that go from one home to another, and foreign ones that are refused, with real tars and the real ONNX Runtime.
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { test, type TestContext } from 'node:test';
import {
  ARTIFACT_BYTES_MAX,
  type Imported,
  importedSchema,
  lineageSchema,
  modelVersionsSchema,
  type Problem,
  problemSchema,
} from '@jarvis/contracts';
import { setTrigger } from '@jarvis/failpoints';
import { canonicalJson, loadModel, sha256Hex, writeOnnx } from '@jarvis/model-kinds';
import { packFlatTar, unpackFlatTar } from '@jarvis/runtime';
import type { Client } from './client.ts';
import { makeWorld, type World } from './harness.ts';
import { CHAMPION, GOOD, rolloutWorld } from './rollout-world.ts';

const IMPORT = '/api/models/nlu/import';
const LIMITS = { filesMax: 10, bytesMax: ARTIFACT_BYTES_MAX };
type Files = Map<string, Buffer>;

async function exported(from: Client, version: string): Promise<Buffer> {
  const response = await fetch(`${from.url}/api/models/nlu/versions/${version}/export?format=tar`);
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('content-type'), 'application/x-tar');
  return Buffer.from(await response.arrayBuffer());
}

async function send(to: Client, tar: Uint8Array, kind = 'nlu'): Promise<{ status: number; body: unknown }> {
  const headers = { 'content-type': 'application/x-tar' };
  const body = new Uint8Array(tar);
  const response = await fetch(`${to.url}/api/models/${kind}/import`, { method: 'POST', headers, body });
  return { status: response.status, body: await response.json() };
}

async function sent(to: Client, tar: Uint8Array): Promise<Imported> {
  const { status, body } = await send(to, tar);
  assert.equal(status, 200, JSON.stringify(body));
  return importedSchema.strict().parse(body);
}

async function refusal(to: Client, tar: Uint8Array, kind = 'nlu'): Promise<Problem> {
  return problemSchema.parse((await send(to, tar, kind)).body);
}

async function unpacked(t: TestContext, tar: Buffer): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'unpacked-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await unpackFlatTar(Readable.from([tar]), folder, LIMITS);
  return folder;
}

async function filesOf(folder: string): Promise<Files> {
  const names = await readdir(folder);
  return new Map(
    await Promise.all(names.map(async (name) => [name, await readFile(join(folder, name))] as const)),
  );
}

function pack(files: Files): Promise<Buffer> {
  return buffer(
    packFlatTar(
      [...files].map(([name, body]) => ({ name, bytes: body.length, read: () => Readable.from([body]) })),
    ),
  );
}

interface Manifest {
  kind: string;
  files: Record<string, { bytes: number; sha256: string }>;
}

/** Another file instead of one, with a manifest that says so. */
function withFile(files: Files, name: string, body: Buffer): Files {
  return withManifest(new Map([...files, [name, body]]), (manifest) => {
    manifest.files[name] = { bytes: body.length, sha256: sha256Hex(body) };
  });
}

function withManifest(files: Files, change: (manifest: Manifest) => void): Files {
  const manifest = JSON.parse(files.get('model.json')?.toString() ?? '') as Manifest;
  change(manifest);
  return new Map([...files, ['model.json', Buffer.from(canonicalJson(manifest))]]);
}

async function leftovers(world: World): Promise<string[]> {
  return readdir(world.file('registry', 'incoming')).catch(() => []);
}

/** The bytes of a good version, and a home that has none. */
async function twoHomes(t: TestContext): Promise<{ tar: Buffer; other: World; reactor: Client }> {
  const { reactor: first } = await rolloutWorld(t);
  const tar = await exported(first, CHAMPION);
  assert.deepEqual(await exported(first, CHAMPION), tar, 'the same bytes each time');
  assert.deepEqual(await exported(first, 'stable'), tar, 'by its alias, too');
  const other = await makeWorld(t);
  return { tar, other, reactor: await other.start() };
}

test('a version that goes to another home has the same digest there and answers the same', async (t) => {
  const { tar, other, reactor } = await twoHomes(t);
  const imported = await sent(reactor, tar);
  assert.deepEqual([imported.version, imported.created], ['v0.1.0', true]);
  const folder = await unpacked(t, tar);
  assert.equal(imported.digest, sha256Hex(await readFile(join(folder, 'model.json'))));
  const back = await exported(reactor, imported.version);
  assert.deepEqual(back, tar);
  const [here, there] = await Promise.all([loadModel(folder), loadModel(await unpacked(t, back))]);
  const inputs = [{ text: 'turn the light on' }, { text: 'please 3 and 1' }];
  assert.deepEqual(await there.predict(inputs), await here.predict(inputs));
  await Promise.all([here.dispose(), there.dispose()]);
  const lineage = lineageSchema.parse(await reactor.must('GET', '/api/models/nlu/versions/v0.1.0/lineage'));
  assert.deepEqual([lineage.origin, lineage.job, lineage.trained_by.job_id], ['import', null, 'job-0']);
  assert.deepEqual((await reactor.routes()).routes, [], 'nobody is served it yet');
  await reactor.deploymentIn(await reactor.deploy('v0.1.0'), 'promoted');
  const [route] = (await reactor.routes()).routes;
  assert.deepEqual(route?.stable, { version: 'v0.1.0', digest: imported.digest });
  assert.deepEqual(await leftovers(other), []);
});

test('beside a champion an import goes in steps, and says that the guards alone judge it', async (t) => {
  const { reactor } = await rolloutWorld(t);
  const files = withManifest(await filesOf(await unpacked(t, await exported(reactor, GOOD))), (manifest) => {
    Object.assign(manifest, { metrics: { accuracy: 0.5 } });
  });
  const { version } = await sent(reactor, await pack(files));
  const deployment = await reactor.deploymentIn(await reactor.deploy(version), 'rolling');
  assert.match(deployment.reason, /imported/);
});

test('the same content is the same version: from a tar, again, and from a folder', async (t) => {
  const { tar, other, reactor } = await twoHomes(t);
  const first = await sent(reactor, tar);
  const again = await sent(reactor, tar);
  assert.deepEqual([again.version, again.digest, again.created], [first.version, first.digest, false]);
  const folder = join(other.home, 'data', 'models', 'mine');
  await mkdir(folder, { recursive: true });
  await unpackFlatTar(Readable.from([tar]), folder, LIMITS);
  for (const path of [folder, 'models/mine']) {
    const third = importedSchema.parse(await reactor.must('POST', IMPORT, { folder: path }));
    assert.deepEqual([third.version, third.created], [first.version, false]);
  }
  const { versions } = modelVersionsSchema.parse(await reactor.must('GET', '/api/models/nlu/versions'));
  assert.equal(versions.length, 1);
});

test('folders elsewhere and links are refused', async (t) => {
  const { tar, other, reactor } = await twoHomes(t);
  const outside = await unpacked(t, tar);
  const data = join(other.home, 'data');
  await symlink(outside, join(data, 'link'));
  for (const folder of [outside, '/etc', 'link', '../data', '..', '.', 'absent', `${data}/../..`])
    await reactor.problem('path_not_allowed', ['POST', IMPORT, { folder }]);
  const folder = join(data, 'linked');
  await mkdir(folder);
  for (const name of await readdir(outside)) await symlink(join(outside, name), join(folder, name));
  const { detail } = await reactor.problem('artifact_refused', ['POST', IMPORT, { folder }]);
  assert.match(detail, /no .*model\.json is there/);
  await reactor.problem('invalid_request', ['POST', IMPORT, { path: folder }]);
});

test('a model that is not what it says, or asks for too much, is refused with the reason', async (t) => {
  const { tar, other, reactor } = await twoHomes(t);
  const good = await filesOf(await unpacked(t, tar));
  const graph = [...good.keys()].find((name) => name.endsWith('.onnx')) ?? '';
  const part = { name: 'x', type: 'float32', dims: [1] } as const;
  const useless = writeOnnx({
    name: 'useless',
    opset: 18,
    constants: [],
    inputs: [part],
    outputs: [{ ...part, name: 'y' }],
    nodes: [{ op: 'Neg', inputs: ['x'], outputs: ['y'] }],
  });
  const body = Buffer.from(good.get(graph) ?? '');
  const flipped = Buffer.from(body);
  flipped[flipped.length - 1] = (flipped.at(-1) ?? 0) ^ 1;
  const without = new Map([...good].filter(([name]) => name !== graph));
  const cases: readonly [Files | Buffer, RegExp][] = [
    [Buffer.from('no tar'), /no tar/],
    [new Map(), /no model\.json/],
    [without, /has no bytes/],
    [new Map([...good, [graph, flipped]]), /SHA-256/],
    [new Map([...good, ['extra', body]]), /does not name extra/],
    [withManifest(good, (manifest) => (manifest.kind = 'voice')), /kind voice, not nlu/],
    [withManifest(good, (manifest) => Object.assign(manifest, { labels: 7 })), /labels/],
    [withManifest(without, (manifest) => delete manifest.files[graph]), /no \.onnx/],
    [withFile(good, graph, Buffer.from('no onnx')), /not an ONNX model/],
    [withFile(good, graph, Buffer.from(useless)), /cannot be served/],
    [withFile(good, 'more.bin', Buffer.alloc(31 * 1024 * 1024)), /at most/],
  ];
  for (const [what, message] of cases) {
    const problem = await refusal(reactor, Buffer.isBuffer(what) ? what : await pack(what));
    assert.match(problem.detail, message);
    assert.equal(problem.code, 'artifact_refused', problem.detail);
    assert.ok(!problem.detail.includes(other.home), problem.detail);
  }
  const large = await pack(new Map([['a', Buffer.alloc(ARTIFACT_BYTES_MAX + 1)]]));
  assert.equal((await refusal(reactor, large)).code, 'body_too_large');
  const larger = await pack(new Map([['a', Buffer.alloc(ARTIFACT_BYTES_MAX + 1024 ** 2)]]));
  assert.match((await refusal(reactor, larger)).detail, /the tar has \d+ bytes/);
  const { versions } = modelVersionsSchema.parse(await reactor.must('GET', '/api/models/nlu/versions'));
  assert.deepEqual(versions, []);
  assert.deepEqual(await leftovers(other), []);
});

for (const [step, moment] of [
  ['reactor.blob.note', 'after'],
  ['reactor.blob.rename', 'after'],
  ['reactor.version.import', 'before'],
  ['reactor.version.import', 'after'],
] as const)
  test(`an import cut short ${moment} ${step} is done by sending it again`, async (t) => {
    const { tar, reactor } = await twoHomes(t);
    let reached = 0;
    t.after(() => setTrigger(null));
    setTrigger({
      passed: (at, when) => {
        if (at !== step || when !== moment || (reached += 1) > 1) return;
        throw new Error('died');
      },
      losesReply: () => false,
    });
    assert.equal((await refusal(reactor, tar)).code, 'internal');
    setTrigger(null);
    assert.equal(reached, 1);
    const { version, created } = await sent(reactor, tar);
    assert.deepEqual(
      [version, created],
      ['v0.1.0', !(step === 'reactor.version.import' && moment === 'after')],
    );
    assert.deepEqual(await exported(reactor, version), tar);
  });

test('what a crash left of an import is gone after the next start', async (t) => {
  const world = await makeWorld(t);
  const left = world.file('registry', 'incoming', 'import-1');
  await mkdir(left, { recursive: true });
  await writeFile(join(left, 'model.json'), '{}');
  await world.start();
  assert.deepEqual(await leftovers(world), []);
});
