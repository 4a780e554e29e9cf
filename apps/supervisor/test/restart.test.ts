import assert from 'node:assert/strict';
import { appendFile, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { mayGo, SERVICE_LIFECYCLE } from '@jarvis/contracts';
import { processStartTicks, systemTiming } from '@jarvis/process';
import type { Supervisor, SupervisorEvent } from '../src/index.ts';
import { keepLogsSmall } from '../src/log-upkeep.ts';
import { decideRestart } from '../src/restarts.ts';
import { fixture, untilEvent } from './fixture.ts';

const cameBack = (service: string) => (event: SupervisorEvent) =>
  event.type === 'service_state' &&
  event.service === service &&
  event.to === 'healthy' &&
  /again/.test(event.detail);

function pidOf(supervisor: Supervisor, service: string): number {
  return supervisor.summary().services.find((unit) => unit.service === service)?.pid ?? 0;
}

test('a service that dies is started again, by a lawful path, and the others do not notice', async (t) => {
  const f = await fixture(t);
  const supervisor = await f.start();
  await supervisor.ready;
  const others = ['jarvis-core', 'reactor-core'].map((name) => pidOf(supervisor, name));
  const before = pidOf(supervisor, 'j-prime');
  await f.post('j-prime', '/crash');
  await untilEvent(supervisor, cameBack('j-prime'));
  assert.notEqual(pidOf(supervisor, 'j-prime'), before);
  assert.deepEqual(
    ['jarvis-core', 'reactor-core'].map((name) => pidOf(supervisor, name)),
    others,
  );
  const prime = supervisor.summary().services.find(({ service }) => service === 'j-prime');
  assert.equal(prime?.restarts, 1);
  const events: SupervisorEvent[] = [];
  supervisor.events.subscribe((event) => events.push(event));
  for (const event of events)
    if (event.type === 'service_state') assert.ok(mayGo(SERVICE_LIFECYCLE, event.from, event.to));
  const fell = events.find((event) => event.type === 'service_state' && event.to === 'restarting');
  assert.match(fell?.type === 'service_state' ? fell.detail : '', /exit code 9/);
  assert.deepEqual((await supervisor.stop()).left, []);
});

test('an adopted service that dies is launched', async (t) => {
  const f = await fixture(t);
  const alone = await f.startAlone('reactor-core');
  const supervisor = await f.start();
  await supervisor.ready;
  assert.equal(pidOf(supervisor, 'reactor-core'), alone.pid);
  alone.signalGroup('SIGKILL');
  await untilEvent(supervisor, cameBack('reactor-core'));
  assert.notEqual(pidOf(supervisor, 'reactor-core'), alone.pid);
});

test('a service that no longer answers is asked to leave its trainers, stopped and started again', async (t) => {
  const f = await fixture(t);
  const supervisor = await f.start();
  await supervisor.ready;
  const before = pidOf(supervisor, 'reactor-core');
  // Probes give up after a time of their own; so that the test need not wait for it, the answer is one of nobody.
  await f.setMode('reactor-core', 'wrong');
  await untilEvent(
    supervisor,
    (event) => event.type === 'service_state' && event.service === 'reactor-core' && event.to === 'unhealthy',
  );
  await f.setMode('reactor-core', '');
  await untilEvent(supervisor, cameBack('reactor-core'));
  assert.equal(await processStartTicks(before), null);
  assert.ok((await f.happened()).includes('reactor-core shutdown?trainers=leave'));
});

test('a crash loop ends in giving up, with the last lines of the log, and the others go on', async (t) => {
  const f = await fixture(t, { SERVICE_RESTART_LIMIT: '2' });
  const written: string[] = [];
  const supervisor = await f.start({}, { writeError: (text) => written.push(text) });
  await supervisor.ready;
  await f.setMode('j-prime', 'crash');
  await f.post('j-prime', '/crash');
  const event = await untilEvent(supervisor, (event) => event.type === 'service_gave_up');
  assert.ok(event.type === 'service_gave_up');
  assert.equal(event.restarts, 2);
  assert.deepEqual(event.log_tail, ['looking for the reactor', 'j-prime has no fuel']);
  assert.match(written.join(''), /J-Prime was given up after 2 restarts[\s\S]*j-prime has no fuel/);
  const summary = supervisor.summary();
  assert.equal(summary.services.find(({ service }) => service === 'j-prime')?.state, 'gave_up');
  assert.equal(summary.services.find(({ service }) => service === 'jarvis-core')?.state, 'healthy');
  // The others are still attended to.
  await f.post('reactor-core', '/crash');
  await untilEvent(supervisor, cameBack('reactor-core'));
  assert.deepEqual(await supervisor.stop(), { error: null, left: [] });
});

test('delays double up to their maximum within the window; old restarts are forgiven', () => {
  const limits = { limit: 5, windowMs: 1000, baseDelayMs: 100 };
  assert.deepEqual(decideRestart([], 0, limits, 1), { kind: 'restart', delayMs: 100 });
  assert.deepEqual(decideRestart([0, 10], 20, limits, 1), { kind: 'restart', delayMs: 400 });
  assert.deepEqual(decideRestart([0, 10], 20, limits, 0), { kind: 'restart', delayMs: 200 });
  assert.deepEqual(decideRestart([0, 1, 2, 3, 4], 5, limits, 1), { kind: 'give_up', restarts: 5 });
  assert.deepEqual(decideRestart([0, 1, 2, 3, 4], 1004, limits, 1), { kind: 'restart', delayMs: 100 });
  fc.assert(
    fc.property(
      fc.array(fc.nat(2000)),
      fc.nat(2000),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (at, now, unit) => {
        const decision = decideRestart(at, now, { ...limits, limit: 50 }, unit);
        if (decision.kind === 'restart') assert.ok(decision.delayMs >= 50 && decision.delayMs <= 30_000);
        else assert.ok(decision.restarts >= 50);
      },
    ),
  );
});

test('log files that grow are rotated; one that cannot be is told, and does not end the upkeep', async (t) => {
  const f = await fixture(t);
  const stop = new AbortController();
  const [large, folder] = [join(f.home, 'logs', 'large.log'), join(f.home, 'logs')];
  await appendFile(large, 'x'.repeat(2000));
  const told: string[] = [];
  const log = { info: () => {}, warn: () => {}, error: (msg: string) => void told.push(msg) };
  let looks = 0;
  const timing = {
    ...systemTiming,
    sleep: async () => {
      if (++looks === 2) stop.abort();
      await appendFile(large, 'y'.repeat(1001));
    },
  };
  await keepLogsSmall([folder, large], { bytesMax: 1000, filesKept: 2, timing, log }, stop.signal);
  assert.deepEqual((await readdir(folder)).toSorted(), ['large.log', 'large.log.1', 'large.log.2']);
  assert.match(await readFile(`${large}.2`, 'utf8'), /^x+$/);
  assert.deepEqual(new Set(told), new Set(['a log file could not be rotated']));
});
