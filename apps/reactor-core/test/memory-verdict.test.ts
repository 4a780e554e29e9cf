import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RunRow } from '../src/store/runs.ts';
import { gpuFigures } from '../src/health.ts';
import {
  hasReached,
  judgeMemory,
  LIMIT_BYTES_MIN,
  limitBytesFor,
  MEMORY_PRESSURE_SHARE,
} from '../src/runs/memory-verdict.ts';
import { decideRunEnd } from '../src/runs/run-end.ts';

const GIB = 1024 ** 3;

test('a trainer is stopped above its share, not at it, and never without a limit', () => {
  const limit = 10 * GIB;
  const mark = limit * MEMORY_PRESSURE_SHARE;
  assert.equal(judgeMemory(0, limit), null);
  assert.equal(judgeMemory(mark, limit), null);
  assert.match(judgeMemory(mark + 1, limit) ?? '', /took 9\.00 GB, 90 % of the 10\.00 GB/);
  assert.match(judgeMemory(2 * limit, limit) ?? '', /200 %/);
  assert.equal(judgeMemory(2 * limit, null), null);
});

test('no limit is below what any program needs', () => {
  assert.equal(limitBytesFor(0), LIMIT_BYTES_MIN);
  assert.equal(limitBytesFor(LIMIT_BYTES_MIN + 1), LIMIT_BYTES_MIN + 1);
});

test('a group has come to its limit some pages below it, and where nothing tells what it held', () => {
  assert.ok(hasReached(10 * GIB, 10 * GIB));
  assert.ok(hasReached(9.9 * GIB, 10 * GIB));
  assert.ok(!hasReached(9.7 * GIB, 10 * GIB));
  assert.ok(hasReached(null, 10 * GIB));
});

const KILLED = { code: null, signal: 'SIGKILL' };
const PREEMPTED = JSON.stringify({ type: 'preempted', epoch: 3 });
const SAID_SO = JSON.stringify({ type: 'failed', code: 'out_of_memory', message: 'm', retryable: true });
const FAILED = JSON.stringify({ type: 'failed', code: 'internal', message: 'm', retryable: true });

for (const [name, change, outOfMemory, expected] of [
  [
    'asked, and gone at a checkpoint',
    { stop_asked: 'preempt', last_word: PREEMPTED },
    false,
    ['preempted', 'asked'],
  ],
  ['asked, and killed by us', { stop_asked: 'preempt' }, false, ['preempted', 'asked']],
  [
    'asked, and killed by the kernel meanwhile',
    { stop_asked: 'preempt' },
    true,
    ['preempted', 'out_of_memory'],
  ],
  [
    'near its limit, gone at a checkpoint',
    { stop_asked: 'memory_pressure', last_word: PREEMPTED },
    false,
    ['preempted', 'memory_pressure'],
  ],
  [
    'near its limit, killed by us',
    { stop_asked: 'memory_pressure' },
    false,
    ['preempted', 'memory_pressure'],
  ],
  [
    'near its limit, killed by the kernel first',
    { stop_asked: 'memory_pressure' },
    true,
    ['lost', 'out_of_memory'],
  ],
  ['killed by the kernel', {}, true, ['lost', 'out_of_memory']],
  ['killed by somebody', {}, false, ['lost', 'died']],
  ['out of memory in its own words', { last_word: SAID_SO }, false, ['lost', 'out_of_memory']],
  ['failed for now', { last_word: FAILED }, false, ['lost', 'died']],
  ['silent', { stop_asked: 'silent' }, false, ['lost', 'silent']],
] as const)
  test(`a run that is ${name} ends as ${expected.join(', ')}`, () => {
    const plain = {
      last_word: null,
      stop_asked: null,
      stop_why: null,
      last_attempt: 0,
      checkpoint_epoch: 2,
      limit_bytes: GIB,
    };
    const end = decideRunEnd({ ...plain, ...change } as unknown as RunRow, KILLED, outOfMemory);
    assert.deepEqual([end.state, 'cause' in end ? end.cause : null], expected);
  });

test('GPUs: the sum of what is used, the mean of who tells how busy it is; none is zero', () => {
  const device = {
    uuid: 'GPU-1',
    index: 0,
    total_bytes: 80 * GIB,
    used_bytes: 40 * GIB,
    utilization_percent: 90,
  };
  const other = { ...device, used_bytes: 2 * GIB, utilization_percent: 30 };
  const mute = { ...device, used_bytes: null, utilization_percent: null };
  assert.deepEqual(gpuFigures({ devices: [device, other, mute], processes: [] }), {
    gpu_memory_gb: 42,
    gpu_utilization_percent: 60,
  });
  assert.deepEqual(gpuFigures(null), { gpu_memory_gb: 0, gpu_utilization_percent: 0 });
});
