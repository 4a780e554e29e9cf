import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { followFile, isSameProcess, processStartTicks, spawnDetached } from '@jarvis/process';
import { systemClock } from '@jarvis/runtime';
import { readSupervisorRecord, runForeground, stopHome, type Supervisor } from '../src/index.ts';
import { type Fixture, fixture, isListening, supervisorOptions, untilEvent } from './fixture.ts';

async function assertNobodyListens(f: Fixture): Promise<void> {
  for (const port of Object.values(f.ports)) assert.equal(await isListening(port), false);
}

/** A supervisor in a process of its own, as `jarvis up` is. */
async function startHost(t: TestContext, f: Fixture, says = 'ready 3/3 operational') {
  const log = join(f.home, `host-${Math.random()}.log`);
  const host = await spawnDetached({
    command: process.execPath,
    args: [join(import.meta.dirname, 'services', 'host.ts')],
    env: { PATH: process.env['PATH'], ...f.env },
    cwd: f.home,
    stdoutPath: log,
  });
  t.after(() => host.signalGroup('SIGKILL'));
  const seen = new AbortController();
  for await (const line of followFile(log, { from: 'start', signal: seen.signal, pollIntervalMs: 10 }))
    if (line.startsWith(says)) break;
  return { ...host, log };
}

function downOptions(f: Fixture) {
  return { environment: supervisorOptions(f.home, f.env).environment, fetch, clock: systemClock };
}

test('a second supervisor on a live home is refused and says who has it', async (t) => {
  const f = await fixture(t);
  const first = await f.start();
  await assert.rejects(f.start(), { code: 'already_running', message: new RegExp(`pid ${process.pid}`) });
  assert.equal((await first.ready).text, '3/3 operational');
  await first.stop();
  const next = await f.start();
  assert.equal((await next.ready).text, '3/3 operational');
});

test('stop during the start: at once, at any moment, with nothing left', async (t) => {
  for (const moment of ['phase_started', 'service_state'] as const) {
    const f = await fixture(t);
    await f.setMode('jarvis-core', 'slow');
    const supervisor = await f.start();
    await untilEvent(supervisor, (event) => event.type === moment);
    const report = await supervisor.stop();
    await assert.rejects(supervisor.ready, { code: 'stopped' });
    assert.deepEqual(report, { error: null, left: [] });
    await assertNobodyListens(f);
    assert.equal(await readSupervisorRecord(f.home), null);
  }
  const f = await fixture(t);
  const supervisor = await f.start();
  assert.deepEqual(await supervisor.stop(), { error: null, left: [] });
  await assertNobodyListens(f);
});

test('stop while a service is between two starts', async (t) => {
  const f = await fixture(t, { SERVICE_RESTART_DELAY: '600' });
  const supervisor = await f.start();
  await supervisor.ready;
  await f.post('j-prime', '/crash');
  await untilEvent(supervisor, (event) => event.type === 'service_state' && event.to === 'restarting');
  assert.deepEqual(await supervisor.stop(), { error: null, left: [] });
  await assertNobodyListens(f);
});

test('who neither does as asked nor heeds SIGTERM is killed', async (t) => {
  const f = await fixture(t);
  const supervisor = await f.start();
  await supervisor.ready;
  await f.setMode('reactor-core', 'deaf');
  const stopping = supervisor.stop();
  const stopped = await untilEvent(
    supervisor,
    (event) => event.type === 'service_stopped' && event.service === 'reactor-core',
  );
  assert.equal(stopped.type === 'service_stopped' && stopped.how, 'killed');
  assert.deepEqual((await stopping).left, []);
  assert.ok((await f.happened()).includes('reactor-core SIGTERM'));
  await assertNobodyListens(f);
});

test('the first signal stops, the second kills at once', async (t) => {
  const f = await fixture(t, { SERVICE_STOP_GRACE: '600' });
  const supervisor = await f.start();
  await supervisor.ready;
  for (const service of ['jarvis-core', 'j-prime', 'reactor-core'] as const) await f.setMode(service, 'deaf');
  const signals = new EventEmitter();
  let nowMs = 0;
  const clock = { monotonic: () => nowMs };
  const kills: number[] = [];
  const code = runForeground(supervisor, { clock, signals, onKill: () => kills.push(nowMs) });
  signals.emit('SIGINT');
  signals.emit('SIGINT'); // the same Ctrl-C, passed on by npm
  await untilEvent(supervisor, (event) => event.type === 'stopping');
  assert.deepEqual(kills, []);
  nowMs = 1000;
  signals.emit('SIGINT');
  signals.emit('SIGINT');
  assert.deepEqual(kills, [1000]);
  assert.equal(await code, 0);
  assert.equal(signals.listenerCount('SIGINT'), 0);
  await assertNobodyListens(f);
});

test('the exit code tells a start that failed and what could not be stopped', async () => {
  const ended = (why: Error | null, left: string[]) => ({
    done: Promise.resolve({ error: why, left }),
    stop: () => Promise.reject(new Error('not called')),
    kill: () => Promise.reject(new Error('not called')),
  });
  const foreground = (supervisor: ReturnType<typeof ended>) =>
    runForeground(supervisor, { clock: systemClock, signals: new EventEmitter() });
  assert.equal(await foreground(ended(null, [])), 0);
  assert.equal(await foreground(ended(new Error('x'), [])), 1);
  assert.equal(await foreground(ended(null, ['J-Prime'])), 1);
});

test('down stops the supervisor of the home, which stops the services', async (t) => {
  const f = await fixture(t);
  const host = await startHost(t, f);
  const result = await stopHome(f.home, downOptions(f));
  assert.deepEqual(result, { supervisor: 'stopped', services: [], left: [] });
  assert.deepEqual(await host.exited, { code: 0, signal: null });
  assert.match(await readFile(host.log, 'utf8'), /exit 0/);
  await assertNobodyListens(f);
});

test('services survive a supervisor that is killed; the next one takes the home and adopts them', async (t) => {
  const f = await fixture(t);
  const host = await startHost(t, f);
  const stale = await readSupervisorRecord(f.home);
  host.signalGroup('SIGKILL');
  await host.exited;
  assert.equal(stale?.pid, host.pid);
  const supervisor: Supervisor = await f.start();
  const summary = await supervisor.ready;
  assert.deepEqual(
    summary.services.map(({ state }) => state),
    ['adopted', 'adopted', 'adopted'],
  );
  assert.equal((await readSupervisorRecord(f.home))?.pid, process.pid);
  assert.deepEqual((await supervisor.stop()).left, []);
  await assertNobodyListens(f);
  assert.equal((await f.happened()).filter((line) => line.endsWith('started')).length, 3);
});

test('down without a supervisor stops the services of this home, in order, and no others', async (t) => {
  const f = await fixture(t);
  const core = await f.startAlone('jarvis-core');
  const reactor = await f.startAlone('reactor-core');
  const strange = await f.startAlone('j-prime', { FIXTURE_HOME_ID: 'another' });
  const result = await stopHome(f.home, downOptions(f));
  assert.equal(result.supervisor, 'none');
  assert.deepEqual(
    result.services.map(({ service, stop }) => [service, stop.how]),
    [
      ['reactor-core', 'asked'],
      ['jarvis-core', 'asked'],
    ],
  );
  assert.equal(await processStartTicks(core.pid), null);
  assert.equal(await processStartTicks(reactor.pid), null);
  assert.ok(await isSameProcess(strange.pid, strange.startedTicks));
  assert.deepEqual((await stopHome(f.home, downOptions(f))).services, []);
});

test('down on a home that is not there makes none', async (t) => {
  const f = await fixture(t);
  const nowhere = join(f.home, 'nowhere');
  assert.deepEqual(await stopHome(nowhere, downOptions(f)), { supervisor: 'none', services: [], left: [] });
  await assert.rejects(access(nowhere));
});
