// `jarvis logs` over log files as the services write them.
import assert from 'node:assert/strict';
import { appendFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { type Fixture, fixture } from './fixture.ts';

const line = (second: number, service: string, msg: string, more: object = {}): string =>
  `${JSON.stringify({ level: 'info', time: `2026-01-01T00:00:0${second}.000Z`, service, msg, ...more })}\n`;

async function withLogs(t: TestContext): Promise<Fixture & { readonly core: string }> {
  const f = await fixture(t);
  const logs = join(f.home, 'logs');
  await mkdir(logs, { recursive: true });
  const core = join(logs, 'jarvis-core.log');
  await writeFile(
    core,
    line(1, 'jarvis-core', 'first') + line(4, 'jarvis-core', 'fourth', { job_id: 'job-4' }),
  );
  await writeFile(join(logs, 'jarvis-prime.log'), line(2, 'j-prime', 'second'));
  await writeFile(join(logs, 'jarvis-reactor.log'), line(3, 'reactor-core', 'third'));
  return { ...f, core };
}

test('lines of all services are merged by time', async (t) => {
  const f = await withLogs(t);
  const { code, stdout, stderr } = await f.run(['logs']);
  assert.deepEqual([code, stderr], [0, '']);
  assert.deepEqual(stdout.trimEnd().split('\n'), [
    '00:00:01.000 info  jarvis-core   first',
    '00:00:02.000 info  j-prime       second',
    '00:00:03.000 info  reactor-core  third',
    '00:00:04.000 info  jarvis-core   fourth {"job_id":"job-4"}',
  ]);
});

test('one service, the last lines, a pattern, as they stand', async (t) => {
  const f = await withLogs(t);
  const words = async (...args: string[]) =>
    (await f.run(['logs', ...args])).stdout.match(/first|second|third|fourth/g) ?? [];
  assert.deepEqual(await words('jarvis-core'), ['first', 'fourth']);
  assert.deepEqual(await words('-n', '2'), ['third', 'fourth']);
  assert.deepEqual(await words('-n', '0'), []);
  assert.deepEqual(await words('--grep', 'job-\\d'), ['fourth']);
  assert.equal((await f.run(['logs', 'j-prime', '--raw'])).stdout, line(2, 'j-prime', 'second'));
});

test('what is no JSON is shown as it stands', async (t) => {
  const f = await withLogs(t);
  await appendFile(f.core, 'Segmentation fault\n');
  assert.match((await f.run(['logs'])).stdout, /^jarvis-core {3}Segmentation fault$/m);
});

test('followed, lines are shown as they come, until Ctrl-C', async (t) => {
  const f = await withLogs(t);
  const running = f.start(['logs', '-f', '--grep', 'fourth|news']);
  await running.says(/fourth/);
  assert.doesNotMatch(running.stdout(), /first/);
  await appendFile(f.core, line(5, 'jarvis-core', 'nothing') + line(6, 'jarvis-core', 'news'));
  await running.says(/news/);
  assert.doesNotMatch(running.stdout(), /nothing/);
  running.child.kill('SIGINT');
  const { code, stderr } = await running.ended;
  assert.deepEqual([code, stderr], [0, '']);
});

test('followed before anything is there, it says what it waits for', async (t) => {
  const f = await fixture(t);
  const running = f.start(['logs', '-f']);
  await running.says(/Waiting for lines in .*logs/);
  await mkdir(join(f.home, 'logs'), { recursive: true });
  await writeFile(join(f.home, 'logs', 'jarvis-core.log'), line(1, 'jarvis-core', 'hello'));
  await running.says(/hello/);
  running.child.kill('SIGINT');
  assert.equal((await running.ended).code, 0);
});

test('where there is nothing to show, that is said', async (t) => {
  const f = await fixture(t);
  const none = await f.run(['logs']);
  assert.equal(none.code, 1);
  assert.match(none.stderr, /no logs in .*jarvis up.*JARVIS_HOME/);
  const logs = await withLogs(t);
  const unmatched = await logs.run(['logs', '--grep', 'unheard of']);
  assert.deepEqual([unmatched.code, unmatched.stdout, unmatched.stderr], [0, '', 'No line matches.\n']);
});
