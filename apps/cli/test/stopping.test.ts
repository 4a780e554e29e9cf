// Other ends of `up`: asked from elsewhere, in a hurry, in the middle of the start, with nobody reading.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '@jarvis/testkit';
import { type Fixture, fixture, listening } from './fixture.ts';

const LIMIT_MS = 240_000;

async function pidsOf(f: Fixture): Promise<number[]> {
  const { stdout } = await f.run(['status', '--json']);
  const { services } = JSON.parse(stdout) as { services: { health: { pid: number } | null }[] };
  return services.flatMap(({ health }) => (health === null ? [] : [health.pid]));
}

test('down from another terminal ends it', { timeout: LIMIT_MS }, async (t) => {
  const f = await fixture(t);
  const up = await f.up();
  const down = await f.run(['down']);
  assert.deepEqual([down.code, down.stderr], [0, '']);
  assert.match(down.stdout, /The supervisor and its services are stopped\.\n$/);
  const { code, stdout } = await up.ended;
  assert.equal(code, 0);
  assert.match(stdout, /\nStopped\.\n$/);
  assert.deepEqual(await listening(f.ports), []);
});

test('who does not stop is killed by a second Ctrl-C', { timeout: LIMIT_MS }, async (t) => {
  const f = await fixture(t);
  const up = await f.up({ SERVICE_STOP_GRACE: '3600' });
  const pids = await pidsOf(f);
  assert.equal(pids.length, 3);
  for (const pid of pids) process.kill(pid, 'SIGSTOP');
  t.after(() => {
    for (const pid of pids) tryToContinue(pid);
  });
  up.child.kill('SIGINT');
  await up.says(/Stopping …/);
  // Two in quick succession are one; so it is asked again until it counts.
  await until('the kill', () => up.stdout().includes('Killing …') || !up.child.kill('SIGINT'));
  const { code, stdout } = await up.ended;
  assert.equal(code, 0);
  assert.match(stdout, /Killing …[\s\S]*\nStopped\.\n$/);
  assert.deepEqual(await listening(f.ports), []);
});

function tryToContinue(pid: number): void {
  try {
    process.kill(pid, 'SIGCONT');
  } catch {
    // It is gone, as it should be.
  }
}

test('Ctrl-C in the middle of the start leaves nothing', { timeout: LIMIT_MS }, async (t) => {
  const f = await fixture(t);
  const up = f.start(['up']);
  await up.says(/is healthy/); // the first of three
  up.child.kill('SIGINT');
  const { code, stdout, stderr } = await up.ended;
  assert.deepEqual([code, stderr], [0, '']);
  assert.match(stdout, /\nStopped\.\n$/);
  assert.deepEqual(await listening(f.ports), []);
});

test(
  'the services stay when nobody reads the display any more, and stop when the terminal is closed',
  { timeout: LIMIT_MS },
  async (t) => {
    const f = await fixture(t);
    const up = f.start(['up']);
    up.child.stdout?.destroy();
    await until('three services', async () => (await f.run(['status'])).code === 0, LIMIT_MS);
    assert.equal(up.child.exitCode, null);
    up.child.kill('SIGHUP');
    const { code, stderr } = await up.ended;
    assert.deepEqual([code, stderr], [0, '']);
    assert.deepEqual(await listening(f.ports), []);
  },
);
