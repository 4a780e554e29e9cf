import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  isSameProcess,
  processStartTicks,
  readLastLines,
  readProcess,
  spawnDetached,
  spawnHeld,
  splitWords,
  stopProcess,
  watchExit,
} from '../src/index.ts';
import { parsePs, parseStat } from '../src/processes.ts';
import { startChild, temporaryFolder, untilLine } from './children.ts';

test('a detached child has a group of its own, a start time, and its output in the file', async (t) => {
  const child = await startChild(t, 'dying');
  assert.deepEqual(await child.exited, { code: 3, signal: null });
  assert.deepEqual(await readLastLines(child.log, 2), ['line 4', 'something is wrong']);
  assert.equal((await stat(child.log)).mode & 0o777, 0o600);

  const living = await startChild(t, 'ready', ['20']);
  await untilLine(living.log, 'ready');
  const row = await readProcess(living.pid);
  assert.equal(row?.pgid, living.pid);
  assert.equal(row?.startTicks, living.startedTicks);
});

test('a program that is not there is an error, not a child', async (t) => {
  const folder = await temporaryFolder(t);
  await assert.rejects(
    spawnDetached({
      command: join(folder, 'nothing'),
      args: [],
      env: {},
      cwd: folder,
      stdoutPath: join(folder, 'log'),
    }),
    { code: 'ENOENT' },
  );
});

test('the start time is read even of a child that ends at once', async (t) => {
  const child = await startChild(t, 'dying');
  assert.ok(child.startedTicks > 0);
  await child.exited;
  assert.equal(await processStartTicks(child.pid), null);
});

test('a child outlives the process that started it', async (t) => {
  const folder = await temporaryFolder(t);
  const log = join(folder, 'log');
  const program = `
    import { spawnDetached } from ${JSON.stringify(join(import.meta.dirname, '../src/index.ts'))};
    const child = await spawnDetached({ command: process.execPath, args: [${JSON.stringify(
      join(import.meta.dirname, 'children/ready.ts'),
    )}], env: process.env, cwd: '/', stdoutPath: ${JSON.stringify(log)} });
    console.log(JSON.stringify([child.pid, child.startedTicks]));
    process.kill(process.pid, 'SIGKILL');`;
  const parent = spawn(process.execPath, ['--input-type=module-typescript', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const said = once(parent.stdout, 'data');
  await once(parent, 'exit');
  const [pid, ticks] = JSON.parse(String((await said)[0])) as [number, number];
  await untilLine(log, 'ready');
  assert.ok(await isSameProcess(pid, ticks));
  assert.equal((await stopProcess({ pid, startedTicks: ticks })).rung, 'terminated');
  assert.equal(await isSameProcess(pid, ticks), false);
});

test('another start time is another process, and a zombie is none', async (t) => {
  const child = await startChild(t, 'ready');
  assert.ok(await isSameProcess(child.pid, child.startedTicks));
  assert.equal(await isSameProcess(child.pid, child.startedTicks + 1), false);
  const stat = '7 (a) Z) (b) S 1 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 123 456 7';
  assert.deepEqual(parseStat(stat), {
    pid: 7,
    ppid: 1,
    pgid: 7,
    session: 7,
    startTicks: 123,
    rss_bytes: null,
  });
  assert.equal(parseStat(stat.replace(') S 1', ') Z 1')), null);
});

test('watchExit sees the end of a process that is not our child, and can be stopped', async (t) => {
  const child = await startChild(t, 'ready');
  const stopped = watchExit(child.pid, child.startedTicks, { pollIntervalMs: 5 });
  stopped.stop();
  const watch = watchExit(child.pid, child.startedTicks, { pollIntervalMs: 5 });
  let seen = false;
  void watch.exited.then(() => (seen = true));
  await untilLine(child.log, 'ready');
  assert.equal(seen, false);
  child.signalGroup('SIGTERM');
  await watch.exited;
  assert.deepEqual(await child.exited, { code: 0, signal: null });
});

test('the list of ps on macOS is understood', () => {
  const rows = parsePs(
    '    1     0     1  12345 Ss   Sun Nov 22 08:00:00 2026\n' +
      '  501   420   501 204800 S+   Tue Nov 24 04:20:00 2026\n' +
      '  502   501   501      0 Z    Tue Nov 24 04:20:01 2026\n',
  );
  assert.deepEqual(
    rows.map((row) => [row.pid, row.ppid, row.pgid, row.rss_bytes]),
    [
      [1, 0, 1, 12_641_280],
      [501, 420, 501, 209_715_200],
    ],
  );
  assert.equal((rows[1]?.startTicks ?? 0) - (rows[0]?.startTicks ?? 0), 159_600);
});

test('a held process has its identity before its program begins, and keeps it', async (t) => {
  const folder = await temporaryFolder(t);
  const log = join(folder, 'log');
  const child = await spawnHeld({
    command: process.execPath,
    args: [join(import.meta.dirname, 'children/ready.ts'), '20'],
    env: process.env,
    cwd: folder,
    stdoutPath: log,
  });
  t.after(async () => {
    child.signalGroup('SIGKILL');
    await child.exited;
  });
  assert.match(await readFile(`/proc/${child.pid}/cmdline`, 'utf8'), /^\/bin\/sh\0/);
  child.begin();
  await untilLine(log, 'ready');
  assert.ok(await isSameProcess(child.pid, child.startedTicks));
  assert.doesNotMatch(await readFile(`/proc/${child.pid}/cmdline`, 'utf8'), /bin\/sh/);
});

test('a held process ends with who held it, before its program has begun', async (t) => {
  const folder = await temporaryFolder(t);
  const program = `
    import { spawnHeld } from ${JSON.stringify(join(import.meta.dirname, '../src/index.ts'))};
    const child = await spawnHeld({ command: 'touch', args: ['begun'], env: process.env, cwd: ${JSON.stringify(folder)},
      stdoutPath: ${JSON.stringify(join(folder, 'log'))} });
    process.stdout.write(child.pid + ' ' + child.startedTicks);
    process.kill(process.pid, 'SIGKILL');`;
  const parent = spawn(process.execPath, ['--input-type=module-typescript', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const told: string[] = [];
  parent.stdout.on('data', (chunk: Buffer) => told.push(chunk.toString()));
  await once(parent, 'close');
  const [pid = 0, ticks = 0] = told.join('').split(' ').map(Number);
  assert.ok(pid > 0 && ticks > 0, told.join(''));
  await watchExit(pid, ticks).exited;
  await assert.rejects(stat(join(folder, 'begun')), { code: 'ENOENT' });
});

test('a held program that is not there says so in its output', async (t) => {
  const folder = await temporaryFolder(t);
  const log = join(folder, 'log');
  const command = join(folder, 'nothing');
  const child = await spawnHeld({ command, args: [], env: {}, cwd: folder, stdoutPath: log });
  child.begin();
  assert.deepEqual(await child.exited, { code: 127, signal: null });
  assert.match((await readLastLines(log, 1))[0] ?? '', /nothing.*not found/);
});

test('a command line is taken apart as a shell would, and nothing is expanded', () => {
  const line = `serve --name "my model" 'a b'\\ c $HOME "q\\"q" {port}`;
  assert.deepEqual(splitWords(line), ['serve', '--name', 'my model', 'a b c', '$HOME', 'q"q', '{port}']);
});
