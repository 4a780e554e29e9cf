// A child under a hard limit: with the kernel's own cgroups where this machine lets us make them, and on recorded machines.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chown, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import {
  findMemoryGroups,
  isSameProcess,
  makeMemoryLimit,
  readGroupPeak,
  readMachineOomKills,
  readOomKills,
  removeMemoryGroup,
  spawnDetached,
  type System,
} from '../src/index.ts';
import { startChild, temporaryFolder, untilLine } from './children.ts';
import { recordedMachine } from './machine.ts';

const MIB = 1024 ** 2;
const OURS = `jarvis-test-${randomUUID()}.`;

const probe = await makeMemoryLimit(`${OURS}probe`, 256 * MIB);
if (probe.group !== null) await removeMemoryGroup(probe.group, OURS);
const withGroups = { skip: probe.group === null && `no memory cgroup can be made: ${probe.detail}` };

async function limited(t: TestContext, name: string, limitBytes: number): Promise<string> {
  const { group, way, detail } = await makeMemoryLimit(OURS + name, limitBytes);
  assert.ok(group !== null && way !== 'none', detail);
  t.after(() => removeMemoryGroup(group, OURS));
  return group;
}

test(
  'who leaps over its limit is killed by the kernel, counted, and a sibling is untouched',
  withGroups,
  async (t) => {
    const group = await limited(t, 'leaping', 200 * MIB);
    const other = await limited(t, 'sibling', 400 * MIB);
    const sibling = await startChild(t, 'leaping', ['150'], { memoryGroup: other });
    const child = await startChild(t, 'leaping', ['400'], { memoryGroup: group });
    await Promise.all([untilLine(child.log, 'ready'), untilLine(sibling.log, 'ready')]);
    assert.equal(await readOomKills(group), 0);
    const before = await readMachineOomKills();
    sibling.signalGroup('SIGUSR1');
    child.signalGroup('SIGUSR1');
    assert.deepEqual(await child.exited, { code: null, signal: 'SIGKILL' });
    await untilLine(sibling.log, 'leapt');
    assert.equal(await readOomKills(group), 1);
    assert.equal(await readOomKills(other), 0);
    assert.ok(((await readGroupPeak(group)) ?? 0) > 196 * MIB, 'it came to its limit');
    assert.ok(((await readMachineOomKills()) ?? 0) > (before ?? 0));
    assert.ok(await isSameProcess(sibling.pid, sibling.startedTicks));
  },
);

test(
  'who is killed for want of memory around its group has not come to the limit of its own',
  withGroups,
  async (t) => {
    const outer = await limited(t, 'outer', 200 * MIB);
    const inner = join(outer, `${OURS}inner`);
    const handsDown = join(outer, 'cgroup.subtree_control');
    if (existsSync(handsDown)) await writeFile(handsDown, '+memory');
    await mkdir(inner);
    t.after(() => removeMemoryGroup(inner, OURS));
    const limit = existsSync(join(inner, 'memory.max')) ? 'memory.max' : 'memory.limit_in_bytes';
    await writeFile(join(inner, limit), String(600 * MIB));
    const child = await startChild(t, 'leaping', ['400'], { memoryGroup: inner });
    await untilLine(child.log, 'ready');
    child.signalGroup('SIGUSR1');
    assert.deepEqual(await child.exited, { code: null, signal: 'SIGKILL' });
    const peak = (await readGroupPeak(inner)) ?? NaN;
    assert.ok(peak > 100 * MIB && peak <= 200 * MIB, `it held ${peak}`);
  },
);

test(
  'the program is in its group before it runs, with the pid and start time that were noted',
  withGroups,
  async (t) => {
    const group = await limited(t, 'inside', 300 * MIB);
    const child = await startChild(t, 'ready', ['20'], { memoryGroup: group, oomScoreAdjustment: 800 });
    assert.ok(await isSameProcess(child.pid, child.startedTicks), 'from the first moment on');
    await untilLine(child.log, 'ready');
    assert.ok(await isSameProcess(child.pid, child.startedTicks));
    assert.match(await readFile(join(group, 'cgroup.procs'), 'utf8'), new RegExp(`^${child.pid}$`, 'm'));
    assert.equal((await readFile(`/proc/${child.pid}/oom_score_adj`, 'utf8')).trim(), '800');
    assert.match(await readFile(`/proc/${child.pid}/cmdline`, 'utf8'), /ready\.ts\0/);
  },
);

test(
  'words that mean something to a shell reach the program as they are',
  { skip: process.platform !== 'linux' && 'reads /proc' },
  async (t) => {
    const words = ['$(touch no)', '; exit 3', '"', "'", '*', '', 'a b\nc'];
    const child = await startChild(t, 'ready', words, { oomScoreAdjustment: 900 });
    await untilLine(child.log, 'ready');
    const seen = (await readFile(`/proc/${child.pid}/cmdline`, 'utf8')).split('\0');
    assert.deepEqual(seen.slice(-words.length - 1, -1), words);
  },
);

test('also behind the shell a program that is not there is an error, not a child', async (t) => {
  const folder = await temporaryFolder(t);
  const plain = { args: [], env: { PATH: '/usr/bin' }, cwd: folder, stdoutPath: join(folder, 'log') };
  for (const command of [join(folder, 'nothing'), 'nothing-by-this-name'])
    await assert.rejects(spawnDetached({ ...plain, command, oomScoreAdjustment: 800 }), { code: 'ENOENT' });
  await assert.rejects(spawnDetached({ ...plain, command: import.meta.filename, oomScoreAdjustment: 800 }), {
    code: 'EACCES',
  });
});

test(
  'a group is found by its name and removed with who is left in it; another one stays',
  withGroups,
  async (t) => {
    const group = await limited(t, 'left', 300 * MIB);
    const child = await startChild(t, 'ready', [], { memoryGroup: group });
    await untilLine(child.log, 'ready');
    assert.deepEqual(await findMemoryGroups(`${OURS}left`), [group]);
    assert.equal(await removeMemoryGroup(group, 'jarvis-somebody-else.'), false);
    assert.ok(existsSync(group));
    assert.equal(await removeMemoryGroup(group, OURS), true);
    assert.deepEqual(await child.exited, { code: null, signal: 'SIGKILL' });
    assert.equal(existsSync(group), false);
    assert.equal(await removeMemoryGroup(group, OURS), true, 'gone is removed');
  },
);

test('a group that is there already is made anew, and counts from zero', withGroups, async (t) => {
  const group = await limited(t, 'again', 100 * MIB);
  const child = await startChild(t, 'eating-memory', ['300'], { memoryGroup: group });
  assert.deepEqual(await child.exited, { code: null, signal: 'SIGKILL' });
  assert.equal(await readOomKills(group), 1);
  assert.equal(await limited(t, 'again', 100 * MIB), group);
  assert.equal(await readOomKills(group), 0);
});

const V2_MOUNT = '29 22 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n';
const NOBODY = 65_534;

/** A machine with cgroup v2 whose folders belong to us from `delegated` on. */
async function v2Machine(t: TestContext, delegated: string): Promise<System & { tried: string[] }> {
  const own = 'sys/fs/cgroup/user.slice/user@7.service/app.slice/jarvis.scope';
  const system = await recordedMachine(t, {
    'proc/self/cgroup': '0::/user.slice/user@7.service/app.slice/jarvis.scope\n',
    'proc/self/mountinfo': V2_MOUNT,
    [`${own}/cgroup.subtree_control`]: '\n',
    [`${own}/../cgroup.subtree_control`]: 'memory pids\n',
    [`${own}/../../cgroup.subtree_control`]: 'cpu memory pids\n',
    [`${own}/../../../cgroup.subtree_control`]: 'memory\n',
    'sys/fs/cgroup/cgroup.subtree_control': 'memory\n',
  });
  const uid = process.getuid?.() === 0 ? NOBODY : process.getuid?.();
  assert.ok(uid !== undefined);
  await chown(join(system.root, 'proc/self'), uid, uid);
  let at = own;
  for (; at.endsWith(delegated) || at.includes(`${delegated}/`); at = join(at, '..'))
    await chown(join(system.root, at), uid, uid);
  const tried: string[] = [];
  return {
    ...system,
    tried,
    runCommand: (_, args) => Promise.resolve((tried.push(args.at(-1) ?? ''), '')),
  };
}

const asRoot = { skip: process.getuid?.() !== 0 && 'folders are given to another user' };

test(
  'v2: the nearest delegated group above ours that hands memory down takes the new group',
  asRoot,
  async (t) => {
    const system = await v2Machine(t, 'user@7.service');
    const limit = await makeMemoryLimit('jarvis-x.1', 64 * MIB, system);
    assert.deepEqual(limit, {
      way: 'cgroup v2',
      limit_bytes: 64 * MIB,
      detail: 'the kernel does not count swap: it is not limited',
      group: '/sys/fs/cgroup/user.slice/user@7.service/app.slice/jarvis-x.1',
    });
    const read = (name: string) => readFile(join(system.root, limit.group ?? '', name), 'utf8');
    assert.equal(await read('memory.max'), String(64 * MIB));
    assert.equal(await read('memory.oom.group'), '1');
    assert.deepEqual(system.tried, [join(system.root, limit.group ?? '', 'cgroup.procs')]);
  },
);

test('v2: what is not delegated to us is left alone, and the answer says why', asRoot, async (t) => {
  const system = await v2Machine(t, 'jarvis.scope');
  const limit = await makeMemoryLimit('jarvis-x.1', 64 * MIB, system);
  assert.deepEqual([limit.way, limit.group], ['none', null]);
  assert.match(limit.detail, /hands the memory controller down/);
  assert.deepEqual(system.tried, []);
});

test('a group that cannot be entered is no limit, and is not left behind', asRoot, async (t) => {
  const refusing = {
    ...(await v2Machine(t, 'app.slice')),
    runCommand: () => Promise.reject(new Error('EACCES')),
  };
  const limit = await makeMemoryLimit('jarvis-x.1', 64 * MIB, refusing);
  assert.equal(limit.way, 'none');
  assert.match(limit.detail, /jarvis-x\.1: EACCES/);
});

test('a machine without cgroups says so', async (t) => {
  const limit = await makeMemoryLimit('jarvis-x.1', 64 * MIB, await recordedMachine(t, {}));
  assert.deepEqual([limit.way, limit.detail], ['none', 'this system has no memory cgroups']);
});

test('kills are read from either version, and null where nothing tells', async (t) => {
  const system = await recordedMachine(t, {
    'v2/memory.events': 'low 0\nhigh 4\nmax 12\noom 3\noom_kill 2\noom_group_kill 1\n',
    'v1/memory.oom_control': 'oom_kill_disable 0\nunder_oom 0\noom_kill 5\n',
    'old/memory.oom_control': 'oom_kill_disable 0\nunder_oom 0\n',
    'proc/vmstat': 'nr_free_pages 1\noom_kill 7\nnuma_hit 3\n',
  });
  await mkdir(join(system.root, 'empty'));
  const read = async (group: string) => readOomKills(group, system);
  assert.deepEqual(
    [await read('/v2'), await read('/v1'), await read('/old'), await read('/empty')],
    [2, 5, null, null],
  );
  assert.equal(await readMachineOomKills(system), 7);
});

test('what a group held at most is read from either version, and null where nothing tells', async (t) => {
  const system = await recordedMachine(t, {
    'v2/memory.peak': '1048576\n',
    'v1/memory.max_usage_in_bytes': '2097152\n',
    'old/memory.current': '5\n',
  });
  const read = async (group: string) => readGroupPeak(group, system);
  assert.deepEqual([await read('/v2'), await read('/v1'), await read('/old')], [MIB, 2 * MIB, null]);
});
