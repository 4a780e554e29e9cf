import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cpuPercentBetween, readMachineMemory, sampleCpu } from '../src/index.ts';
import { MEMINFO, recordedMachine } from './machine.ts';

const GIB = 1024 ** 3;
const KIB = 1024;
const V2_MOUNT = '29 22 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n';

test('this machine has memory, some of it in use', async () => {
  const memory = await readMachineMemory();
  assert.ok(memory.total_bytes > 0.2 * GIB);
  assert.ok(memory.used_bytes > 0 && memory.used_bytes < memory.total_bytes);
  assert.ok(memory.available_bytes > 0 && memory.available_bytes <= memory.total_bytes);
});

test('without a cgroup limit the machine counts, its page cache as available', async (t) => {
  const system = await recordedMachine(t, {
    'proc/meminfo': MEMINFO,
    'proc/self/cgroup': '0::/user.slice/session-2.scope\n',
    'proc/self/mountinfo': V2_MOUNT,
    'sys/fs/cgroup/user.slice/session-2.scope/memory.max': 'max\n',
    'sys/fs/cgroup/user.slice/session-2.scope/memory.current': '4096\n',
  });
  assert.deepEqual(await readMachineMemory(system), {
    total_bytes: 65_536_000 * KIB,
    used_bytes: 32_768_000 * KIB,
    available_bytes: 32_768_000 * KIB,
    swap_used_bytes: 1_048_576 * KIB,
    limited_by: 'machine',
  });
});

test('cgroup v2: a limit on a group above ours holds for us; inactive page cache is not counted', async (t) => {
  const system = await recordedMachine(t, {
    'proc/meminfo': MEMINFO,
    'proc/self/cgroup': '0::/jarvis.slice/jarvis.service\n',
    'proc/self/mountinfo': `22 1 8:1 / / rw - ext4 /dev/sda1 rw\n${V2_MOUNT}`,
    'sys/fs/cgroup/jarvis.slice/jarvis.service/memory.max': 'max\n',
    'sys/fs/cgroup/jarvis.slice/jarvis.service/memory.current': `${GIB}\n`,
    'sys/fs/cgroup/jarvis.slice/memory.max': `${8 * GIB}\n`,
    'sys/fs/cgroup/jarvis.slice/memory.current': `${5 * GIB}\n`,
    'sys/fs/cgroup/jarvis.slice/memory.stat': `anon 1\nfile 2\ninactive_file ${2 * GIB}\nactive_file 3\n`,
  });
  const memory = await readMachineMemory(system);
  assert.equal(memory.limited_by, 'cgroup v2');
  assert.equal(memory.total_bytes, 8 * GIB);
  assert.equal(memory.used_bytes, 3 * GIB);
  assert.equal(memory.available_bytes, 5 * GIB);
});

test('cgroup v2: of nested limits the tightest counts; max is none, memory.high only slows, swap is not memory', async (t) => {
  const slice = 'sys/fs/cgroup/a.slice';
  const system = await recordedMachine(t, {
    'proc/meminfo': MEMINFO,
    'proc/self/cgroup': '0::/a.slice/b.slice/c.scope\n',
    'proc/self/mountinfo': V2_MOUNT,
    [`${slice}/memory.max`]: `${20 * GIB}\n`,
    [`${slice}/memory.current`]: `${9 * GIB}\n`,
    [`${slice}/b.slice/memory.max`]: `${6 * GIB}\n`,
    [`${slice}/b.slice/memory.high`]: `${GIB}\n`,
    [`${slice}/b.slice/memory.swap.max`]: '0\n',
    [`${slice}/b.slice/memory.current`]: `${4 * GIB}\n`,
    [`${slice}/b.slice/memory.stat`]: `anon 1\ninactive_file ${GIB}\n`,
    [`${slice}/b.slice/c.scope/memory.max`]: 'max\n',
    [`${slice}/b.slice/c.scope/memory.high`]: 'max\n',
    [`${slice}/b.slice/c.scope/memory.current`]: `${2 * GIB}\n`,
  });
  assert.deepEqual(await readMachineMemory(system), {
    total_bytes: 6 * GIB,
    used_bytes: 3 * GIB,
    available_bytes: 3 * GIB,
    swap_used_bytes: 1_048_576 * KIB,
    limited_by: 'cgroup v2',
  });
});

const V1_FILES = {
  'proc/meminfo': MEMINFO,
  'proc/self/cgroup': '9:name=systemd:/\n4:memory:/docker/abc\n1:cpu:/\n0::/\n',
  'sys/fs/cgroup/memory/memory.limit_in_bytes': `${60 * GIB}\n`,
  'sys/fs/cgroup/memory/memory.usage_in_bytes': `${2 * GIB}\n`,
  'sys/fs/cgroup/memory/memory.stat': `cache 1\ntotal_inactive_file ${GIB}\n`,
};
const V1_OTHER_MOUNTS =
  '31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n' +
  '32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n' +
  '41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n';

test('cgroup v1 in a container: the mount shows the group as its root; no more is available than the machine has', async (t) => {
  const system = await recordedMachine(t, {
    ...V1_FILES,
    'proc/self/mountinfo': `${V1_OTHER_MOUNTS}35 31 0:32 /docker/abc /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n`,
  });
  const memory = await readMachineMemory(system);
  assert.equal(memory.limited_by, 'cgroup v1');
  assert.equal(memory.total_bytes, 60 * GIB);
  assert.equal(memory.used_bytes, GIB);
  assert.equal(memory.available_bytes, 32_768_000 * KIB);
});

test('cgroup v1 without a limit writes a huge number: the machine counts', async (t) => {
  const system = await recordedMachine(t, {
    ...V1_FILES,
    'sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712\n',
    'proc/self/mountinfo': `${V1_OTHER_MOUNTS}35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n`,
  });
  assert.equal((await readMachineMemory(system)).limited_by, 'machine');
});

test('macOS: sysctl and vm_stat', async () => {
  const answers: Record<string, string> = {
    'sysctl -n hw.memsize': '17179869184\n',
    'sysctl -n vm.swapusage': 'total = 2048.00M  used = 512.50M  free = 1535.50M  (encrypted)\n',
    'vm_stat ': `Mach Virtual Memory Statistics: (page size of 16384 bytes)
Pages free:                               10000.
Pages active:                            300000.
Pages wired down:                        100000.
Pages purgeable:                           5000.
"Translation faults":                  99999999.
File-backed pages:                       200000.
Anonymous pages:                         205000.
Pages occupied by compressor:             50000.
`,
  };
  const memory = await readMachineMemory({
    platform: 'darwin',
    root: '',
    runCommand: (command, args) => Promise.resolve(answers[`${command} ${args.join(' ')}`] ?? ''),
  });
  assert.equal(memory.total_bytes, 16 * GIB);
  assert.equal(memory.used_bytes, 350_000 * 16_384);
  assert.equal(memory.available_bytes, 16 * GIB - 350_000 * 16_384);
  assert.equal(memory.swap_used_bytes, 512.5 * 1024 ** 2);
});

const at = (user: number, idle: number) =>
  sampleCpu(() => [
    { times: { user, nice: 0, sys: 0, idle, irq: 0 } },
    { times: { user: 0, nice: 0, sys: 0, idle: idle * 2, irq: 0 } },
  ]);

test('processors: the share of busy time between two samples', () => {
  assert.equal(cpuPercentBetween(at(100, 100), at(200, 200)), 25);
  assert.equal(cpuPercentBetween(at(100, 100), at(100, 100)), 0);
  const real = sampleCpu();
  assert.ok(real.totalMs > real.busyMs && real.busyMs > 0);
});
