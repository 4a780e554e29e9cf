import assert from 'node:assert/strict';
import { appendFile, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { followFile, readLastLines, rotateIfLarge, type Timing } from '../src/index.ts';
import { startChild, temporaryFolder } from './children.ts';

test('rotation keeps so many files and drops the oldest', async (t) => {
  const folder = await temporaryFolder(t);
  const log = join(folder, 'x.log');
  for (const round of ['one', 'two', 'three', 'four']) {
    await writeFile(log, `${round}${'.'.repeat(100)}`);
    assert.equal(await rotateIfLarge(log, 100, 2), true);
    assert.equal((await stat(log)).size, 0);
  }
  assert.equal(await rotateIfLarge(log, 100, 2), false);
  assert.deepEqual((await readdir(folder)).sort(), ['x.log', 'x.log.1', 'x.log.2']);
  assert.match(await readFile(`${log}.1`, 'utf8'), /^four/);
  assert.match(await readFile(`${log}.2`, 'utf8'), /^three/);
  assert.equal(await rotateIfLarge(join(folder, 'nothing.log'), 100, 2), false);
});

test('a writer that holds the file goes on at its new beginning', async (t) => {
  const child = await startChild(t, 'writing');
  let rotations = 0;
  while (rotations < 3) if (await rotateIfLarge(child.log, 300_000, 5)) rotations++;
  child.signalGroup('SIGKILL');
  await child.exited;
  const files = [`${child.log}.3`, `${child.log}.2`, `${child.log}.1`, child.log];
  const lines = (await Promise.all(files.map((file) => readFile(file, 'utf8')))).map((text) =>
    text.split('\n').filter((line) => /^line \d+ x{80}$/.test(line)),
  );
  const numbers = lines.flat().map((line) => Number(line.split(' ')[1]));
  assert.equal(numbers[0], 0);
  assert.deepEqual(
    numbers.toSorted((a, b) => a - b),
    numbers,
    'no line twice, none out of order',
  );
  assert.doesNotMatch(await readFile(child.log, 'utf8'), /\0/, 'no hole where the old text was');
});

test('the last lines, of a bounded part of the file', async (t) => {
  const log = join(await temporaryFolder(t), 'x.log');
  assert.deepEqual(await readLastLines(log, 5), []);
  await writeFile(log, 'a\nb\nc\n');
  assert.deepEqual(await readLastLines(log, 2), ['b', 'c']);
  assert.deepEqual(await readLastLines(log, 0), []);
  assert.deepEqual(await readLastLines(log, 9, 2), ['b', 'c']);
  assert.deepEqual(await readLastLines(log, 9, 1000), ['a', 'b', 'c'], 'rotated meanwhile');
  await appendFile(log, `${'y'.repeat(200_000)}end`);
  const [line = '', ...others] = await readLastLines(log, 5);
  assert.equal(others.length, 0);
  assert.ok(line.endsWith('yyyend') && line.length <= 64 * 1024);
});

test('following: what comes, across a truncation, in whole characters', async (t) => {
  const log = join(await temporaryFolder(t), 'x.log');
  const stop = new AbortController();
  // Each step is done when the reader has seen all there is: it sleeps only then.
  const steps = [
    () => writeFile(log, 'one\ntw'),
    () => appendFile(log, 'o\n'),
    () => appendFile(log, Buffer.from([0xc3])),
    () => appendFile(log, Buffer.from([0xa9, 0x0a])),
    () => truncate(log, 0),
    () => appendFile(log, 'new\n'),
    () => Promise.resolve(stop.abort()),
  ];
  const timing: Timing = {
    monotonicMs: () => 0,
    sleep: async () => await steps.shift()?.(),
  };
  const lines: string[] = [];
  for await (const line of followFile(log, { from: 'start', signal: stop.signal, timing })) lines.push(line);
  assert.deepEqual(lines, ['one', 'two', 'é', 'new']);
});

test('following from the end leaves out what was there; a line without end comes in pieces', async (t) => {
  const log = join(await temporaryFolder(t), 'x.log');
  await writeFile(log, 'old\n');
  const stop = new AbortController();
  const steps = [
    () => appendFile(log, `${'z'.repeat(150_000)}\nlast\n`),
    () => Promise.resolve(stop.abort()),
  ];
  const timing: Timing = { monotonicMs: () => 0, sleep: async () => await steps.shift()?.() };
  const lines: string[] = [];
  for await (const line of followFile(log, { signal: stop.signal, timing })) lines.push(line);
  assert.equal(lines.join('').length, 150_000 + 'last'.length);
  assert.ok(lines.every((line) => line.length <= 128 * 1024));
  assert.equal(lines.at(-1), 'last');
});
