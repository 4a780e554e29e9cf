// Outputs of nvidia-smi as machines with and without GPUs gave them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createGpuReader, GPU_ABSENCE_REMEMBERED_MS, readGpuMemory, type System } from '../src/index.ts';

const MIB = 1024 ** 2;
const A100 = 'GPU-5d5ba0d6-d33d-2b2c-524d-9e3d8d2b8a77';
const T4 = 'GPU-31ff6ad7-2b5b-9c1c-1f6a-0d2b8c7b1f11';

interface Recorded {
  readonly devices?: string;
  readonly processes?: string;
  readonly error?: object;
}

function machine({ devices = '', processes = '', error }: Recorded): System & { calls: number } {
  const system = {
    platform: 'linux' as const,
    root: '',
    calls: 0,
    runCommand: (command: string, [query = '']: readonly string[]) => {
      assert.equal(command, 'nvidia-smi');
      system.calls += 1;
      if (error !== undefined) return Promise.reject(Object.assign(new Error('Command failed'), error));
      return Promise.resolve(query.startsWith('--query-gpu=') ? devices : processes);
    },
  };
  return system;
}

test('devices and the bytes of each process on each', async () => {
  const system = machine({
    devices: `0, ${A100}, 81920, 40536, 97\n1, ${T4}, 15360, 3, 0\n`,
    processes: `4211, ${A100}, 40000\n4212, ${T4}, 2\n4211, ${T4}, 1\n`,
  });
  assert.deepEqual(await readGpuMemory(system), {
    devices: [
      { uuid: A100, index: 0, total_bytes: 81_920 * MIB, used_bytes: 40_536 * MIB, utilization_percent: 97 },
      { uuid: T4, index: 1, total_bytes: 15_360 * MIB, used_bytes: 3 * MIB, utilization_percent: 0 },
    ],
    processes: [
      { pid: 4211, uuid: A100, used_bytes: 40_000 * MIB },
      { pid: 4212, uuid: T4, used_bytes: 2 * MIB },
      { pid: 4211, uuid: T4, used_bytes: MIB },
    ],
  });
});

test('no processes are none', async () => {
  const gpu = await readGpuMemory(machine({ devices: `0, ${T4}, 15360, 3, 0\n`, processes: '\n' }));
  assert.deepEqual(gpu?.processes, []);
  assert.equal(gpu?.devices.length, 1);
});

test('what a device does not tell is null: MIG in a container, WSL, a card without the counter', async () => {
  const system = machine({
    devices:
      `0, ${A100}, [Insufficient Permissions], [Insufficient Permissions], [N/A]\n` +
      `1, ${T4}, 15360, 3, [Not Supported]\n`,
    processes: `4211, MIG-41087c88-02a9-5d35-9c25-5e5ef9b8b7c1, 1024\n4212, ${T4}, [N/A]\n`,
  });
  const gpu = await readGpuMemory(system);
  assert.deepEqual(
    gpu?.devices.map((d) => [d.total_bytes, d.used_bytes, d.utilization_percent]),
    [
      [null, null, null],
      [15_360 * MIB, 3 * MIB, null],
    ],
  );
  assert.deepEqual(
    gpu?.processes.map((p) => p.used_bytes),
    [1024 * MIB, null],
  );
});

const NO_DRIVER = {
  code: 9,
  stdout:
    "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the latest NVIDIA driver is installed and running.\n\n",
};

test('no nvidia-smi is null; a driver that does not answer is an error that says so', async () => {
  assert.equal(await readGpuMemory(machine({ error: { code: 'ENOENT' } })), null);
  await assert.rejects(
    readGpuMemory(machine({ error: NO_DRIVER })),
    /couldn't communicate with the NVIDIA driver/,
  );
});

test('an absence is remembered for its time, a device is asked each time', async () => {
  for (const error of [{ code: 'ENOENT' }, NO_DRIVER]) {
    const system = machine({ error });
    let nowMs = 0;
    const failures: string[] = [];
    const timing = { monotonicMs: () => nowMs, sleep: () => Promise.resolve() };
    const read = createGpuReader(({ message }) => failures.push(message), { system, timing });
    assert.equal(await read(), null);
    const once = system.calls;
    nowMs = GPU_ABSENCE_REMEMBERED_MS - 1;
    assert.equal(await read(), null);
    assert.equal(system.calls, once);
    nowMs = GPU_ABSENCE_REMEMBERED_MS;
    await read();
    assert.equal(system.calls, 2 * once);
    assert.equal(failures.length, error === NO_DRIVER ? 2 : 0);
  }
  const system = machine({ devices: `0, ${T4}, 15360, 3, 0\n` });
  const read = createGpuReader(() => assert.fail(), { system });
  assert.equal((await read())?.devices.length, 1);
  await read();
  assert.equal(system.calls, 4);
});
