// The drop folder, watched by a JARVIS Core that runs: each file is stored once, or set aside with its reason.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { until } from '@jarvis/testkit';
import { commands } from './client.ts';
import { makeWorld, spawnCore, startCore, type World } from './world.ts';

const HOUR_AGO = new Date(Date.now() - 3_600_000);
const OVER_64_MB = 64 * 1024 * 1024 + 1;
const MANY_FILES = 20_000;
const MANY_FILES_LIMIT_MS = 200_000;

function batch(id: string, n: number, over: Record<string, unknown> = {}): string {
  return JSON.stringify({
    batch_id: id,
    model_type: 'nlu',
    experiences: commands(n, 'lights_on', id),
    ...over,
  });
}

/** Drops a file whole, and as if nobody had written to it for an hour: whatever it holds is all that will come. */
async function drop(world: World, name: string, content: string): Promise<void> {
  const events = join(world.folder, 'events');
  const written = join(world.folder, 'written');
  await mkdir(events, { recursive: true });
  await writeFile(written, content, { mode: 0o600 });
  await utimes(written, HOUR_AGO, HOUR_AGO);
  await rename(written, join(events, name));
}

async function reasonOf(world: World, name: string): Promise<string> {
  const path = join(world.folder, 'events/rejected', `${name}.reason.txt`);
  return until(`${name} to be set aside`, async () => {
    const text = await readFile(path, 'utf8').catch(() => '');
    return text.endsWith('\n') ? text : null;
  });
}

async function dropped(world: World): Promise<string[]> {
  return (await readdir(join(world.folder, 'events'))).filter((n) => /^[^.].*\.json$/.test(n));
}

async function untilTaken(world: World): Promise<void> {
  await until('the drop folder to be empty', async () => {
    // In the order in which a file goes: it is gone when it is in neither.
    if ((await dropped(world)).length > 0) return false;
    const claimed = await readdir(join(world.folder, 'events/.claimed')).catch(() => ['?']);
    return claimed.length === 0;
  });
}

test('a good file is taken once and removed; files that were there before the start too, and all kinds', async (t) => {
  const world = await makeWorld(t);
  await drop(world, 'experiences_nlu_1700000000.json', batch('before', 4));
  const vision = [{ type: 'vision', input: { image_path: 'a.png' }, expected_output: { label: 'cat' } }];
  await drop(
    world,
    'experiences_vision_1700000000.5.json',
    batch('v', 0, { model_type: 'vision', experiences: vision }),
  );
  const core = await startCore(world);
  await untilTaken(world);
  assert.equal(await core.count(), 5);
  await drop(world, 'experiences_nlu_1700000001.json', batch('after', 3));
  await untilTaken(world);
  assert.equal(await core.count(), 8);
});

test('a batch_id counts once, under whatever file name; with other experiences it is set aside', async (t) => {
  const world = await makeWorld(t);
  const core = await startCore(world);
  await drop(world, 'experiences_nlu_1.json', batch('same', 4));
  await drop(world, 'experiences_nlu_2.json', batch('same', 4));
  await untilTaken(world);
  assert.equal(await core.count(), 4);
  await drop(world, 'experiences_nlu_3.json', batch('same', 5));
  assert.match(await reasonOf(world, 'experiences_nlu_3.json'), /^idempotency_conflict: .*same/);
  assert.equal(await core.count(), 4);
});

test('more experiences than a batch may have are all stored, and again only once', async (t) => {
  const world = await makeWorld(t);
  const core = await startCore(world);
  await drop(world, 'experiences_nlu_1.json', batch('large', 5001));
  await untilTaken(world);
  assert.equal(await core.count(), 5001);
  await drop(world, 'experiences_nlu_2.json', batch('large', 5001));
  await untilTaken(world);
  assert.equal(await core.count(), 5001);
});

test('what cannot be stored is set aside with its reason, and the good file behind it is taken', async (t) => {
  const world = await makeWorld(t);
  await drop(world, 'experiences_nlu_1.json', '{"batch_id": "half", "exper');
  await drop(world, 'experiences_nlu_2.json', batch('none', 0));
  await drop(world, 'experiences_nlu_3.json', batch('foreign', 1, { model_type: 'vision' }));
  await drop(world, 'experiences_nlu_4.json', batch('typo', 1, { experience: [] }));
  await drop(world, 'experiences_nlu_5.json', '');
  await truncate(join(world.folder, 'events/experiences_nlu_5.json'), OVER_64_MB);
  await drop(world, 'notes.json', batch('misnamed', 1));
  await drop(world, 'experiences_nlu_9.json', batch('good', 2));
  const core = await startCore(world);
  const reasons: [string, RegExp][] = [
    ['experiences_nlu_1.json', /^malformed_json: the file is not JSON/],
    ['experiences_nlu_2.json', /^invalid_request: experiences:/],
    ['experiences_nlu_3.json', /^invalid_request: experiences\.0: .*vision/],
    ['experiences_nlu_4.json', /^invalid_request: .*experience/],
    ['experiences_nlu_5.json', /^body_too_large: /],
    ['notes.json', /^invalid_request: .*experiences_<kind>_<epoch>\.json/],
  ];
  for (const [name, reason] of reasons) {
    assert.match(await reasonOf(world, name), reason);
    await until(`${name} to lie there`, async () =>
      (await readdir(join(world.folder, 'events/rejected'))).includes(name),
    );
  }
  await untilTaken(world);
  assert.equal(await core.count(), 2);
});

test('a link is not followed, a folder is no file, and neither keeps other files from being taken', async (t) => {
  const world = await makeWorld(t);
  const secret = join(world.folder, 'secret.json');
  await writeFile(secret, batch('secret', 3));
  const events = join(world.folder, 'events');
  await mkdir(events, { recursive: true });
  await symlink(secret, join(events, 'experiences_nlu_1.json'));
  await symlink(join(world.folder, 'nowhere'), join(events, 'experiences_nlu_2.json'));
  await mkdir(join(events, 'experiences_nlu_3.json'));
  await drop(world, 'experiences_nlu_4.json', batch('good', 2));
  const core = await startCore(world);
  for (const n of [1, 2, 3])
    assert.match(await reasonOf(world, `experiences_nlu_${n}.json`), /^path_not_allowed: /);
  await untilTaken(world);
  assert.equal(await core.count(), 2);
  assert.equal(await readFile(secret, 'utf8'), batch('secret', 3), 'what the link led to is untouched');
});

test('two files of one name that are set aside are both kept', async (t) => {
  const world = await makeWorld(t);
  await startCore(world);
  for (const [i, content] of ['first', 'second'].entries()) {
    await drop(world, 'experiences_nlu_1.json', content);
    await reasonOf(world, i === 0 ? 'experiences_nlu_1.json' : 'experiences_nlu_1.json.1');
    await untilTaken(world);
  }
  const kept = ['experiences_nlu_1.json', 'experiences_nlu_1.json.1'];
  const contents = kept.map((name) => readFile(join(world.folder, 'events/rejected', name), 'utf8'));
  assert.deepEqual(await Promise.all(contents), ['first', 'second']);
});

test('files of others are left alone', async (t) => {
  const world = await makeWorld(t);
  const core = await startCore(world);
  await drop(world, 'experiences_nlu_1.json.part', batch('part', 1));
  await drop(world, '.experiences_nlu_2.json', batch('hidden', 1));
  await drop(world, 'experiences_nlu_3.json', batch('good', 1));
  await until('the good file to be taken', async () => (await core.count()) === 1);
  const names = await readdir(join(world.folder, 'events'));
  assert.ok(names.includes('experiences_nlu_1.json.part') && names.includes('.experiences_nlu_2.json'));
});

test('a batch_id counts once also among files that are stored together', async (t) => {
  const world = await makeWorld(t);
  for (let i = 0; i < 6; i += 1) await drop(world, `experiences_nlu_${i}.json`, batch('same', 4));
  await drop(world, 'experiences_nlu_7.json', batch('same', 5));
  await drop(world, 'experiences_nlu_8.json', batch('other', 1));
  const core = await startCore(world);
  // Which of them comes first is not said; those with the same experiences are one batch, the others are conflicts.
  await until('all to be stored or set aside', async () => {
    const aside = (await readdir(join(world.folder, 'events/rejected')).catch(() => [])).filter((name) =>
      name.endsWith('.json'),
    );
    const total = await core.count();
    return (aside.length === 1 && total === 5) || (aside.length === 6 && total === 6);
  });
  await untilTaken(world);
});

test('twenty thousand files that came while nobody was there are each taken once, and calls are answered meanwhile', async (t) => {
  const world = await makeWorld(t);
  const events = join(world.folder, 'events');
  await mkdir(events, { recursive: true });
  for (let i = 0; i < MANY_FILES; i += 1)
    writeFileSync(join(events, `experiences_nlu_${i}.json`), batch(`many-${i}`, 1));
  // Names that are left alone lie between them.
  for (let i = 0; i < MANY_FILES / 10; i += 1) writeFileSync(join(events, `.${i}.json`), '');
  const core = await startCore(world);
  const seen: number[] = [];
  await until(
    () => `all to be stored: ${seen.at(-1)}`,
    async () => {
      await core.ok('GET', '/health');
      seen.push(await core.count());
      return seen.at(-1) === MANY_FILES;
    },
    MANY_FILES_LIMIT_MS,
  );
  assert.ok(new Set(seen).size > 2, 'they were counted while they were taken');
  await untilTaken(world);
  assert.equal(await core.count(), MANY_FILES);
});

test('what a process claimed and did not finish is stored by the next one, once', async (t) => {
  const world = await makeWorld(t);
  const first = await spawnCore(world);
  for (let i = 0; i < 40; i += 1) await drop(world, `experiences_nlu_${i}.json`, batch(`b${i}`, 25));
  await until('some to be taken', async () => (await dropped(world)).length < 40);
  await first.kill();
  const second = await startCore(world);
  await untilTaken(world);
  assert.equal(await second.count(), 1000);
});
