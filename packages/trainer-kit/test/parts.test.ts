import assert from 'node:assert/strict';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { codeSha256, configSha256 } from '@jarvis/trainer-kit';
import { EventLog } from '../src/events.ts';
import { toFailure } from '../src/failure.ts';
import { parseStartedTicks } from '../src/host.ts';
import { hearHeartbeat } from '../src/stop.ts';
import { temporaryFolder } from './temporary-folder.ts';

test('a heartbeat counts from its last change, whatever the wall clock says', () => {
  const start = { mtimeMs: null, seenAtMs: 10 };
  assert.equal(hearHeartbeat(start, null, 500), start);
  const heard = hearHeartbeat(start, 9_000_000, 20);
  assert.deepEqual(heard, { mtimeMs: 9_000_000, seenAtMs: 20 });
  assert.equal(hearHeartbeat(heard, 9_000_000, 900), heard);
  assert.equal(hearHeartbeat(heard, null, 900), heard);
  assert.equal(hearHeartbeat(heard, 1_000, 900).seenAtMs, 900, 'a clock set back is a change too');
});

test('field 22 of stat, also after a name with spaces and parentheses', () => {
  const fields = Array.from({ length: 30 }, (_, i) => String(i + 3));
  assert.equal(parseStartedTicks(`42 (a) b (c) ${fields.join(' ')}`), '22');
  assert.equal(parseStartedTicks('42 (x) S 1'), null);
});

test('a torn last line does not swallow the next event', async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'events.ndjson');
  await writeFile(path, '{"whole":1}\n{"torn');
  const log = new EventLog({ events_path: path, token: 3 }, { now: () => new Date(0), monotonicMs: () => 0 });
  log.emit({ type: 'preempted', epoch: 4 });
  log.close();
  const lines = (await readFile(path, 'utf8')).split('\n');
  assert.deepEqual(lines.slice(0, 2), ['{"whole":1}', '{"torn']);
  assert.deepEqual(JSON.parse(lines[2]!), {
    token: 3,
    at: '1970-01-01T00:00:00.000Z',
    type: 'preempted',
    epoch: 4,
  });
});

test('at work a trainer leaves a sign now and then, more often than is asked for, and none beside an event', async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'events.ndjson');
  let nowMs = 0;
  const host = { now: () => new Date(nowMs), monotonicMs: () => nowMs };
  const log = new EventLog({ events_path: path, token: 3, silence_limit_seconds: 30 }, host);
  const mtimeAfter = async (ms: number) => {
    nowMs += ms;
    log.alive();
    return (await stat(path)).mtimeMs;
  };
  assert.equal(await mtimeAfter(3_000), 3_000);
  assert.equal(await mtimeAfter(2_999), 3_000);
  assert.equal(await mtimeAfter(1), 6_000);
  nowMs = 8_999;
  log.emit({ type: 'preempted', epoch: 4 });
  const { mtimeMs } = await stat(path);
  assert.equal(await mtimeAfter(2_999), mtimeMs, 'an event is a sign');
  assert.equal(await mtimeAfter(1), 11_999);
  log.close();
});

test('what the system throws becomes a code', () => {
  assert.equal(toFailure(Object.assign(new Error('full'), { code: 'ENOSPC' })).code, 'storage_full');
  assert.equal(toFailure(new RangeError('Array buffer allocation failed')).code, 'out_of_memory');
  assert.equal(toFailure('what').code, 'internal');
});

test('the configuration hash sees what shapes the result and nothing else', () => {
  const job = { model_type: 'nlu', seed: 1, epochs: 2, config: { learning_rate: 1, batch_size: 2 } } as const;
  const reordered = {
    config: { batch_size: 2, learning_rate: 1 },
    epochs: 2,
    seed: 1,
    model_type: 'nlu',
  } as const;
  assert.equal(configSha256(job), configSha256(reordered));
  assert.equal(configSha256(job), configSha256(Object.assign({ attempt: 2 }, job)));
  for (const change of [{ seed: 2 }, { epochs: 3 }, { config: {} }]) {
    assert.notEqual(configSha256(job), configSha256({ ...job, ...change }));
  }
});

test('the code hash sees names and contents of sources, not where they lie', async () => {
  await using one = await temporaryFolder();
  await using two = await temporaryFolder();
  const hash = (folder: { path: string }) => codeSha256([{ name: 'n', path: folder.path }]);
  for (const folder of [one, two]) await writeFile(join(folder.path, 'a.ts'), 'one');
  await writeFile(join(two.path, 'notes.md'), 'not code');
  assert.equal(await hash(one), await hash(two));
  await writeFile(join(two.path, 'a.ts'), 'two');
  assert.notEqual(await hash(one), await hash(two));
});
