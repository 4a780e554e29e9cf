import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { isSameProcess, processStartTicks } from '@jarvis/process';
import { type Clock, systemClock } from '@jarvis/runtime';
import { readSupervisorRecord, SupervisorError, type SupervisorEvent } from '../src/index.ts';
import { fixture, isListening, untilEvent } from './fixture.ts';

test('three services are launched, verified, and stopped in reverse order, and nothing is left', async (t) => {
  const f = await fixture(t);
  const supervisor = await f.start();
  const summary = await supervisor.ready;
  assert.equal(summary.text, '3/3 operational');
  assert.deepEqual(
    summary.services.map(({ service, state, origin }) => [service, state, origin]),
    [
      ['jarvis-core', 'healthy', 'launched'],
      ['j-prime', 'healthy', 'launched'],
      ['reactor-core', 'healthy', 'launched'],
    ],
  );
  const record = await readSupervisorRecord(f.home);
  assert.equal(record?.pid, process.pid);
  assert.equal(record?.home_id, f.homeId);
  assert.equal(record?.urls['j-prime'], `http://127.0.0.1:${f.ports['j-prime']}`);

  const report = await supervisor.stop();
  assert.deepEqual(report, { error: null, left: [] });
  const stops = (await f.happened()).filter((line) => !line.endsWith('started'));
  assert.deepEqual(stops.slice(0, 4).toSorted(), [
    'j-prime ended',
    'j-prime shutdown',
    'reactor-core ended',
    'reactor-core shutdown?trainers=checkpoint',
  ]);
  assert.deepEqual(stops.slice(4), ['jarvis-core shutdown', 'jarvis-core ended']);
  for (const { pid } of summary.services) assert.equal(await processStartTicks(pid ?? 0), null);
  assert.equal(await readSupervisorRecord(f.home), null);
  assert.deepEqual(await supervisor.stop(), report);
});

test('phases are told in order, also to who subscribes late', async (t) => {
  const f = await fixture(t);
  const supervisor = await f.start();
  await supervisor.ready;
  const events: SupervisorEvent[] = [];
  supervisor.events.subscribe((event) => events.push(event));
  const phases = events.filter((e) => e.type === 'phase_started' || e.type === 'phase_completed');
  assert.deepEqual(
    phases.map((event) => [event.type, event.phase]),
    [1, 2, 3].flatMap((phase) => [
      ['phase_started', phase],
      ['phase_completed', phase],
    ]),
  );
  assert.equal(events.at(-1)?.type, 'phase_completed');
  const log = await readFile(join(f.home, 'logs', 'jarvis-supervisor.log'), 'utf8');
  const lines = log
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.ok(lines.every((line) => line['service'] === 'supervisor' && typeof line['msg'] === 'string'));
  assert.ok(lines.some((line) => line['msg'] === '3/3 operational'));
});

test('what runs already is adopted, and stopped with the rest', async (t) => {
  const f = await fixture(t);
  const alone = await f.startAlone('j-prime');
  const supervisor = await f.start();
  const summary = await supervisor.ready;
  const prime = summary.services.find(({ service }) => service === 'j-prime');
  assert.equal(prime?.state, 'adopted');
  assert.equal(prime?.pid, alone.pid);
  assert.equal(summary.text, '3/3 operational');
  assert.deepEqual((await supervisor.stop()).left, []);
  assert.equal(await isSameProcess(alone.pid, alone.startedTicks), false);
});

test('a stranger on the port is named, not touched, and nothing is launched', async (t) => {
  const f = await fixture(t);
  const stranger = createServer((_, response) => response.end('hello')).listen(f.ports['reactor-core']);
  t.after(() => stranger.close());
  await once(stranger, 'listening');
  const supervisor = await f.start();
  await assert.rejects(supervisor.ready, (error: unknown) => {
    assert.ok(error instanceof SupervisorError && error.code === 'port_taken');
    assert.match(error.message, new RegExp(`port ${f.ports['reactor-core']} is taken`));
    if (process.platform === 'linux') assert.match(error.message, new RegExp(`pid ${process.pid}: .*node`));
    return true;
  });
  assert.deepEqual(await f.happened(), []);
  assert.ok(await isListening(f.ports['reactor-core']));
  assert.equal((await supervisor.done).error instanceof SupervisorError, true);
});

for (const [what, env, says] of [
  ['the service of another home', { FIXTURE_HOME_ID: 'another' }, /another JARVIS_HOME/],
  ['another version of the contract', { FIXTURE_CONTRACT: '99' }, /version 99 of the contract/],
  ['another service', { FIXTURE_SERVICE: 'jarvis-core' }, /it is jarvis-core, not j-prime/],
] as const)
  test(`${what} is not adopted`, async (t) => {
    const f = await fixture(t);
    await f.startAlone('j-prime', env);
    await assert.rejects((await f.start()).ready, says);
    assert.ok(await isListening(f.ports['j-prime']));
  });

test('a service that ends while it starts fails the start at once, with its last lines, and takes the others down', async (t) => {
  const f = await fixture(t, { SERVICE_START_TIMEOUT: '600' });
  await f.setMode('jarvis-core', 'crash');
  const supervisor = await f.start();
  await assert.rejects(supervisor.ready, (error: unknown) => {
    assert.ok(error instanceof SupervisorError && error.code === 'start_failed');
    assert.match(error.message, /JARVIS Core did not start: it ended with exit code 7/);
    assert.match(error.message, /looking for the reactor\n.*jarvis-core has no fuel/);
    return true;
  });
  for (const port of Object.values(f.ports)) assert.equal(await isListening(port), false);
});

test('a service that is not healthy in time fails the start', async (t) => {
  const f = await fixture(t, { SERVICE_START_TIMEOUT: '0.6' });
  await f.setMode('reactor-core', 'starting');
  const supervisor = await f.start();
  await assert.rejects(supervisor.ready, { code: 'start_timeout' });
  for (const port of Object.values(f.ports)) assert.equal(await isListening(port), false);
});

test('a service that is switched off is not part of the system', async (t) => {
  const f = await fixture(t);
  const supervisor = await f.start({ REACTOR_CORE_ENABLED: 'false' });
  assert.equal((await supervisor.ready).text, '2/2 operational');
});

test('what is not ours to launch is reported when it is away, adopted when it appears, and left to its own home', async (t) => {
  const f = await fixture(t);
  const elsewhere = String(f.ports['j-prime']);
  const url = `http://127.0.0.1:${elsewhere}`;
  // Its port here is another one: so the address is somewhere else.
  const supervisor = await f.start({ JARVIS_PRIME_PORT: '1', JARVIS_PRIME_API_URL: url });
  const away = await untilEvent(supervisor, (event) => event.type === 'service_unreachable');
  assert.equal(away.type === 'service_unreachable' && away.url, url);
  const alone = await f.startAlone('j-prime', { FIXTURE_HOME_ID: 'of another machine' });
  await untilEvent(supervisor, (event) => event.type === 'service_state' && event.to === 'adopted');
  assert.equal((await supervisor.stop()).left.length, 0);
  assert.ok(await isSameProcess(alone.pid, alone.startedTicks));
});

test('another implementation is launched by its command, from its folder', async (t) => {
  const f = await fixture(t);
  const supervisor = await f.start({
    JARVIS_PRIME_COMMAND: `"${process.execPath}" ./j-prime.ts && true`,
    JARVIS_PRIME_PATH: join(import.meta.dirname, 'services'),
  });
  assert.equal((await supervisor.ready).text, '3/3 operational');
  assert.deepEqual((await supervisor.stop()).left, []);
  assert.equal(await isListening(f.ports['j-prime']), false);
});

test('a folder without a command, and a port for two services, are mistakes in the configuration', async (t) => {
  const f = await fixture(t);
  await assert.rejects(
    f.start({ REACTOR_CORE_PATH: '/somewhere', JARVIS_PRIME_PORT: String(f.ports['jarvis-core']) }),
    {
      code: 'configuration',
      message: /REACTOR_CORE_COMMAND[\s\S]*port \d+ is given to two services/,
    },
  );
});

test('services that do not reach each other are told, and go on', async (t) => {
  const f = await fixture(t);
  await f.setMode('j-prime', 'lonely');
  const supervisor = await f.start({}, { clock: hurried() });
  const summary = await supervisor.ready;
  assert.equal(summary.text, '2/3 operational');
  assert.match(summary.problems.join('\n'), /j-prime does not reach jarvis-core: no answer/);
  await f.setMode('j-prime', '');
  await supervisor.stop();
});

/** Time that runs ten times as fast, so that waiting 15 s takes one and a half. */
function hurried(): Clock {
  return {
    now: () => systemClock.now(),
    monotonic: () => systemClock.monotonic() * 10,
    sleep: (ms, signal) => systemClock.sleep(ms / 10, signal),
  };
}
