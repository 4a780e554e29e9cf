// What a trainer is stopped for, seen from its file of events, with a time of its own.
import assert from 'node:assert/strict';
import { appendFile, truncate, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { tempFolder } from '@jarvis/testkit';
import { EVENTS_BYTES_MAX, EventTail } from '../src/runs/event-tail.ts';
import { Misbehaviour } from '../src/runs/misbehaviour.ts';

const LOOK_MS = 1_000;
const LIMIT_MS = 60_000;

async function followed(t: TestContext, longestPauseMs = 0) {
  const path = join(await tempFolder(t), 'events.ndjson');
  const tail = new EventTail(path, 0);
  const misbehaviour = new Misbehaviour({
    silenceLimitMs: LIMIT_MS,
    stopGraceMs: 30_000,
    longestPauseMs,
    nowMs: 0,
  });
  let nowMs = 0;
  const look = async (inMs = LOOK_MS) => {
    nowMs += inMs;
    for (let batch = await tail.next(); batch !== null; batch = await tail.next()) tail.accept(batch);
    return misbehaviour.look(tail, nowMs)?.why ?? null;
  };
  /** Looks for so long; what the last one says. */
  const silentFor = async (ms: number) => {
    let last: string | null = null;
    for (let passed = 0; passed < ms; passed += LOOK_MS) last = await look();
    return last;
  };
  return { path, misbehaviour, look, silentFor };
}

test('who only touches the file is alive, and who does nothing is not', async (t) => {
  const { path, look, silentFor } = await followed(t);
  await appendFile(path, 'an event\n');
  await look();
  for (let i = 1; i <= 3; i += 1) {
    assert.equal(await silentFor(LIMIT_MS - LOOK_MS), null);
    await utimes(path, i, i);
    assert.equal(await look(), null);
  }
  assert.equal(await silentFor(5 * LIMIT_MS + LOOK_MS), 'silent');
});

test('who never said a word is silent behind the limit', async (t) => {
  const { silentFor } = await followed(t);
  assert.equal(await silentFor(LIMIT_MS), null);
  assert.equal(await silentFor(LOOK_MS), 'silent');
});

test('a pause of this run before this process followed it counts', async (t) => {
  const { silentFor, misbehaviour } = await followed(t, LIMIT_MS);
  assert.equal(await silentFor(5 * LIMIT_MS), null);
  assert.equal(await silentFor(LOOK_MS), 'silent');
  assert.equal(misbehaviour.longestPauseMs, LIMIT_MS);
});

test('after a time in which nobody looked the silence begins anew', async (t) => {
  const { look, silentFor } = await followed(t);
  await silentFor(LIMIT_MS);
  assert.equal(await look(10 * LIMIT_MS), null);
  assert.equal(await silentFor(LIMIT_MS), null);
  assert.equal(await silentFor(LOOK_MS), 'silent');
});

test('a file that is larger than what is ever read is a flood, and is not read behind that', async (t) => {
  const { path, look } = await followed(t);
  await appendFile(path, 'an event\n');
  await truncate(path, EVENTS_BYTES_MAX);
  assert.equal(await look(), null);
  await appendFile(path, 'one more\n');
  assert.equal(await look(), 'flooding');
  const tail = new EventTail(path, EVENTS_BYTES_MAX);
  assert.equal(await tail.next(), null);
  await tail.cut();
  assert.equal(await look(), null);
});
