import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { groupMembers, readLastLines, readProcess, stopProcess } from '../src/index.ts';
import { startChild, untilLine } from './children.ts';

const quick = { askGraceMs: 5000, termGraceMs: 5000 };

test('who does as asked is stopped by asking', async (t) => {
  const child = await startChild(t, 'ready');
  await untilLine(child.log, 'ready');
  const result = await stopProcess({
    ...child,
    ...quick,
    ask: async () => child.signalGroup('SIGTERM'), // stands for a call that it obeys
  });
  assert.equal(result.rung, 'asked');
  assert.deepEqual(result.left, []);
});

test('a question that fails, is refused or hangs leads to SIGTERM', async (t) => {
  const questions = [
    () => Promise.reject(new Error('refused')),
    () => Promise.resolve(false),
    () => new Promise<boolean>(() => {}),
  ];
  for (const ask of questions) {
    const child = await startChild(t, 'ready');
    await untilLine(child.log, 'ready');
    assert.equal((await stopProcess({ ...child, ask, askGraceMs: 50 })).rung, 'terminated');
    assert.deepEqual(await readLastLines(child.log, 1), ['terminating']);
  }
});

test('who is deaf to SIGTERM is killed after the grace', async (t) => {
  const child = await startChild(t, 'deaf');
  await untilLine(child.log, 'ready');
  const result = await stopProcess({ ...child, termGraceMs: 100 });
  assert.equal(result.rung, 'killed');
  assert.ok(result.elapsed_ms >= 100);
  assert.deepEqual(await child.exited, { code: null, signal: 'SIGKILL' });
  assert.deepEqual(await readLastLines(child.log, 1), ['heard, staying']);
});

test('who was stopped (SIGSTOP) goes on to hear SIGTERM', async (t) => {
  const child = await startChild(t, 'ready');
  await untilLine(child.log, 'ready');
  child.signalGroup('SIGSTOP');
  assert.equal((await stopProcess({ ...child, ...quick })).rung, 'terminated');
  assert.deepEqual(await readLastLines(child.log, 1), ['terminating']);
});

test('a grandchild that holds on goes too, long before the grace is over', async (t) => {
  const child = await startChild(t, 'grandchild-holding-on');
  const grandchild = Number((await untilLine(child.log, 'ready')).split(' ')[1]);
  const result = await stopProcess({ ...child, termGraceMs: 600_000 });
  assert.equal(result.rung, 'killed');
  assert.equal(await readProcess(grandchild), null);
  assert.deepEqual(await groupMembers(child.pid), []);
});

test('what a dead leader left behind is swept only when asked for', async (t) => {
  const child = await startChild(t, 'grandchild-holding-on');
  const grandchild = Number((await untilLine(child.log, 'ready')).split(' ')[1]);
  process.kill(child.pid, 'SIGUSR2');
  await child.exited;
  assert.equal((await stopProcess({ ...child })).rung, 'already_gone');
  assert.notEqual(await readProcess(grandchild), null);
  assert.equal((await stopProcess({ ...child, sweepGroup: true, termGraceMs: 50 })).rung, 'killed');
  assert.equal(await readProcess(grandchild), null);
});

test('a pid with another start time is never touched', async (t) => {
  const child = await startChild(t, 'ready');
  await untilLine(child.log, 'ready');
  const result = await stopProcess({
    pid: child.pid,
    startedTicks: child.startedTicks - 1,
    sweepGroup: true,
  });
  assert.equal(result.rung, 'already_gone');
  assert.notEqual(await readProcess(child.pid), null);
});

test('of a process that leads no group only itself is stopped: its group may be ours', async (t) => {
  const child = spawn(process.execPath, ['-e', 'console.log("ready"); setInterval(() => {}, 60000)'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  const row = await readProcess(child.pid as number);
  assert.notEqual(row?.pgid, child.pid);
  const result = await stopProcess({ pid: child.pid as number, startedTicks: row?.startTicks ?? 0 });
  assert.equal(result.rung, 'terminated');
});

test('stopping twice at once and again is the same as once', async (t) => {
  const child = await startChild(t, 'ready');
  await untilLine(child.log, 'ready');
  const both = await Promise.all([stopProcess({ ...child }), stopProcess({ ...child })]);
  assert.deepEqual(
    both.flatMap((result) => result.left),
    [],
  );
  assert.equal((await stopProcess({ ...child })).rung, 'already_gone');
});
