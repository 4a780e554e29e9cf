// The real JARVIS Core, as a program beside: what a start without a token takes there, it gives back.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { leasesSchema, locksSchema } from '@jarvis/contracts';
import { exited, freePort } from '@jarvis/testkit';
import { Client } from './client.ts';
import { makeWorld, type World } from './harness.ts';
import { until } from './until.ts';

const CORE_MAIN = fileURLToPath(new URL('../../jarvis-core/src/main.ts', import.meta.url));

async function startCore(t: TestContext, world: World, port: number): Promise<Client> {
  const child = spawn(process.execPath, [CORE_MAIN], {
    cwd: world.home,
    env: {
      PATH: process.env['PATH'],
      HOME: world.home,
      JARVIS_HOME: world.home,
      JARVIS_PORT: String(port),
      JARVIS_LOG_LEVEL: 'error',
      JARVIS_PRIME_ENABLED: 'false',
      REACTOR_CORE_API_URL: `http://127.0.0.1:${world.env['REACTOR_CORE_PORT']}`,
      TRAINING_AUTO_TRIGGER_ENABLED: 'false',
      TRAINING_BASELINE_ENABLED: 'false',
      RESOURCE_CHECK_INTERVAL: '0.1',
    },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  t.after(async () => {
    child.kill('SIGKILL');
    await exited(child);
  });
  const client = new Client(`http://127.0.0.1:${port}`);
  await until('JARVIS Core to answer', async () => {
    assert.equal(child.exitCode, null, 'JARVIS Core has exited');
    return client.call('GET', '/health').then(
      () => true,
      () => false,
    );
  });
  return client;
}

test('slot and lease are really held while it trains, and free afterwards', async (t) => {
  const port = await freePort();
  const world = await makeWorld(t, { env: { JARVIS_CORE_API_URL: `http://127.0.0.1:${port}` } });
  const core = await startCore(t, world, port);
  const reactor = await world.start();
  const need = { fencing_token: undefined, mode: 'held' };
  // Right after its start JARVIS Core grants nothing before it has heard of the runs and measured.
  await until('the start to be granted', async () => {
    const { status, body } = await reactor.call('POST', '/api/training/start', world.body(need));
    assert.ok(status === 200 || status === 503, JSON.stringify(body));
    return status === 200;
  });
  const lock = async () => locksSchema.parse(await core.must('GET', '/api/locks')).locks[0];
  const lease = async () => leasesSchema.parse(await core.must('GET', '/api/leases')).leases[0];
  assert.deepEqual([(await lock())?.name, (await lock())?.holder], ['training/0', 'job-1']);
  const [run] = await reactor.runs('?live=true');
  assert.deepEqual([(await lease())?.lease_id, (await lease())?.state], [run?.lease_id, 'granted']);
  assert.equal((await lock())?.token, run?.token);
  await world.release('job-1');
  assert.equal((await reactor.eventsToEnd('job-1')).at(-1)?.name, 'completed');
  await until('the slot to be free', async () => (await lock())?.state === 'free');
  assert.equal((await lease())?.state, 'released');
});
