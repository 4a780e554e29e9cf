import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { readProcessTreeMemory, readTrees, type System } from '../src/index.ts';
import { nearestRoots, parseSmapsRollup } from '../src/tree-memory.ts';
import { startChild, untilLine } from './children.ts';
import { recordedMachine, rollup, statLine } from './machine.ts';

const MIB = 1024 ** 2;
const KIB = 1024;
const onLinux = { skip: process.platform !== 'linux' && 'reads /proc' };

test('100 MiB allocated and touched are measured, and given back with the exit', onLinux, async (t) => {
  const plain = await startChild(t, 'eating-memory', ['0']);
  const eating = await startChild(t, 'eating-memory', ['100']);
  await Promise.all([untilLine(plain.log, 'ready'), untilLine(eating.log, 'ready')]);
  const trees = await readTrees([plain.pid, eating.pid]);
  const [without, held] = [trees.get(plain.pid), trees.get(eating.pid)];
  assert.ok(without !== undefined && held !== undefined);
  const grown = held.anonymous_bytes - without.anonymous_bytes;
  assert.ok(grown > 95 * MIB && grown < 130 * MIB, `${grown / MIB} MiB`);
  assert.ok(held.pss_bytes < held.rss_bytes, 'the program itself is shared with us');
  assert.equal(held.anonymous_bytes + held.file_backed_bytes, held.pss_bytes);
  assert.ok(held.exact);

  eating.signalGroup('SIGKILL');
  await eating.exited;
  const after = await readProcessTreeMemory(eating.pid);
  assert.equal(after.processes, 0);
  assert.equal(after.pss_bytes, 0);
});

test('the whole tree counts, also from above', onLinux, async (t) => {
  const family = await startChild(t, 'eating-memory', ['60', 'family']);
  await untilLine(family.log, 'ready');
  const tree = await readProcessTreeMemory(family.pid);
  assert.equal(tree.processes, 2);
  assert.ok(tree.anonymous_bytes > 120 * MIB && tree.anonymous_bytes < 260 * MIB);
  const ours = await readTrees([process.pid, family.pid]);
  assert.equal(ours.get(family.pid)?.processes, 2);
  assert.equal(ours.get(process.pid)?.processes, 1);
});

async function recordedFamily(t: Parameters<typeof recordedMachine>[0]): Promise<System> {
  return await recordedMachine(t, {
    'proc/1/stat': statLine(1, 0, 1, 'init'),
    'proc/100/stat': statLine(100, 1, 100, 'j-prime'),
    'proc/100/smaps_rollup': rollup({ pss: 500, anon: 300, file: 150, shmem: 50, rss: 800 }),
    'proc/101/stat': statLine(101, 100, 100, 'a (strange) name'),
    'proc/101/smaps_rollup': rollup({ pss: 1000, anon: 200, file: 800 }),
    'proc/102/stat': statLine(102, 1, 100, 'orphan'), // its parent is gone; the session tells
    'proc/102/status':
      'Name:\torphan\nVmRSS:\t    2000 kB\nRssAnon:\t 500 kB\nRssFile:\t 1400 kB\nRssShmem:\t 100 kB\nVmSwap:\t 7 kB\n',
    // a zombie
    'proc/103/stat': statLine(103, 100, 100).replace(') S', ') Z'),
    'proc/200/stat': statLine(200, 101, 200, 'trainer'), // a session of its own below 101
    'proc/200/smaps_rollup': rollup({ pss: 4000, anon: 4000, file: 0 }),
    'proc/300/stat': statLine(300, 1, 300, 'stranger'),
    'proc/300/smaps_rollup': rollup({ pss: 9999, anon: 9999, file: 0 }),
  });
}

test('a recorded tree: shared memory is not file-backed, the orphan is found, what may not be read counts resident', async (t) => {
  const system = await recordedFamily(t);
  assert.deepEqual(await readProcessTreeMemory(100, system), {
    pss_bytes: (500 + 1000 + 2000 + 4000) * KIB,
    anonymous_bytes: (350 + 200 + 600 + 4000) * KIB,
    file_backed_bytes: (150 + 800 + 1400) * KIB,
    swap_bytes: (10 + 10 + 7 + 10) * KIB,
    rss_bytes: (800 + 1000 + 2000 + 4000) * KIB,
    peak_bytes: null,
    processes: 4,
    exact: false,
  });
});

test('nested roots: each process counts for its nearest root', async (t) => {
  const trees = await readTrees([100, 200, 404], await recordedFamily(t));
  assert.equal(trees.get(100)?.processes, 3);
  assert.equal(trees.get(200)?.pss_bytes, 4000 * KIB);
  assert.equal(trees.get(404)?.processes, 0);
});

test('any process table gives every process at most one root, also a torn one with cycles', () => {
  const table = fc.array(
    fc.record({ pid: fc.nat(20), ppid: fc.nat(20), session: fc.nat(20) }).map((row) => ({
      ...row,
      pgid: row.session,
      startTicks: 1,
      rss_bytes: null,
    })),
  );
  fc.assert(
    fc.property(table, fc.uniqueArray(fc.nat(20)), (rows, roots) => {
      const owners = nearestRoots(rows, new Set(roots));
      for (const [pid, root] of owners) {
        assert.ok(roots.includes(root));
        if (roots.includes(pid)) assert.equal(root, pid);
      }
    }),
  );
});

test('kernels before 5.4: what is not anonymous is file-backed', () => {
  const memory = parseSmapsRollup('Rss: 900 kB\nPss:  700 kB\nAnonymous: 200 kB\nSwap: 3 kB\n');
  assert.equal(memory?.file_backed_bytes, 500 * KIB);
  assert.equal(memory?.anonymous_bytes, 200 * KIB);
  assert.equal(memory?.swap_bytes, 3 * KIB);
});

test('the peak of one process: the high-water mark less what it shares; of several there is none', async (t) => {
  const system = await recordedFamily(t);
  const highWater = 'Name:\tnode\nVmHWM:\t    9000 kB\nVmRSS:\t 4000 kB\n';
  await writeFile(join(system.root, 'proc/200/status'), highWater);
  await writeFile(
    join(system.root, 'proc/200/smaps_rollup'),
    rollup({ pss: 3000, anon: 3000, file: 0, rss: 4000 }),
  );
  const trees = await readTrees([100, 200], system);
  assert.equal(trees.get(200)?.peak_bytes, 8000 * KIB);
  assert.equal(trees.get(100)?.peak_bytes, null);
});

test('what came and went between two looks is in the peak', onLinux, async (t) => {
  const child = await startChild(t, 'eating-memory', ['120', 'briefly']);
  await untilLine(child.log, 'ready');
  const { pss_bytes, peak_bytes } = await readProcessTreeMemory(child.pid);
  assert.ok(peak_bytes !== null && peak_bytes > pss_bytes + 80 * MIB, `${peak_bytes} and now ${pss_bytes}`);
});

const PS = ' 500 1 500 1000 Ss Tue Nov 24 04:20:00 2026\n 501 500 500 2000 S Tue Nov 24 04:20:00 2026\n';

function mac(footprint: () => Promise<string>): System {
  return {
    platform: 'darwin',
    root: '',
    runCommand: (command, args) => {
      if (command === 'ps') return Promise.resolve(PS);
      assert.deepEqual(args.slice(0, 3), ['--noCategories', '--format', 'bytes']);
      return footprint();
    },
  };
}

const RULE = '='.repeat(70);
const FOOTPRINT = `${RULE}
node [500]: 64-bit    Footprint: 253904480 B (16384 bytes per page)
${RULE}

Auxiliary data:
    phys_footprint: 253937248 B
    phys_footprint_peak: 333989448 B

${RULE}
a (strange) [name] [501]: 64-bit    Footprint: 5439920 B (16384 bytes per page)
${RULE}

Auxiliary data:
    phys_footprint: 5472688 B
    phys_footprint_peak: 5472688 B

${RULE}
Summary    Footprint: 259344400 B (16384 bytes per page)
${RULE}
`;

test('macOS: the footprint of each process of a tree', async () => {
  const trees = await readTrees(
    [500, 501],
    mac(() => Promise.resolve(FOOTPRINT)),
  );
  assert.deepEqual([trees.get(500)?.pss_bytes, trees.get(500)?.peak_bytes], [253_904_480, 333_989_448]);
  assert.deepEqual([trees.get(501)?.pss_bytes, trees.get(501)?.exact], [5_439_920, true]);
  assert.equal(trees.get(501)?.rss_bytes, 2000 * KIB);
});

test('macOS without footprint: ps gives resident sizes, and the answer says that it is not exact', async () => {
  const system = mac(() => Promise.reject(new Error('not found')));
  const memory = await readProcessTreeMemory(500, system);
  assert.equal(memory.rss_bytes, 3000 * KIB);
  assert.equal(memory.file_backed_bytes, 0);
  assert.equal(memory.exact, false);
});
