// One life of a system: up, looked at, used, logged, and Ctrl-C.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Job, JobEvent } from '@jarvis/contracts';
import { fixture, listening } from './fixture.ts';

const LIMIT_MS = 240_000;

test('up, status, train, logs, Ctrl-C', { timeout: LIMIT_MS }, async (t) => {
  const f = await fixture(t);
  const up = await f.up();

  await t.test('up tells its phases, where everything is, and how to go on', () => {
    const { log, at } = phasesOf(up.stdout());
    assert.deepEqual(log, ['1/3', '2/3', '3/3']);
    assert.ok(at < up.stdout().indexOf('3/3 operational'));
    for (const port of f.ports) assert.match(up.stdout(), new RegExp(`http://127.0.0.1:${port}/docs`));
    assert.ok(up.stdout().includes(join(f.home, 'logs')));
    assert.match(up.stdout(), /jarvis status/);
    assert.equal(up.stderr(), '');
  });

  await t.test('every address that up shows answers', async () => {
    for (const [url] of up.stdout().matchAll(/http:\S+/g)) {
      const answer = await fetch(url);
      assert.equal(answer.status, 200, url);
      await answer.body?.cancel();
    }
  });

  await t.test('status for a person and for a program', async () => {
    const plain = await f.run(['status']);
    assert.equal(plain.code, 0);
    assert.match(plain.stdout, /JARVIS Core .*healthy[\s\S]*J-Prime .*healthy[\s\S]*Reactor Core .*healthy/);
    assert.match(plain.stdout, /^3\/3 operational$/m);
    const json = await f.run(['status', '--json']);
    const status = JSON.parse(json.stdout) as { operational: number; services: { url: string }[] };
    assert.equal(status.operational, 3);
    assert.deepEqual(
      status.services.map(({ url }) => url),
      f.ports.map((port) => `http://127.0.0.1:${port}`),
    );
  });

  await t.test('status says that training is paused, and what lets it go, until it is resumed', async () => {
    const heldNow = async (): Promise<string | null> => {
      const { stdout } = await f.run(['status', '--json']);
      return (JSON.parse(stdout) as { training_held: string | null }).training_held;
    };
    assert.equal(await heldNow(), null);
    await f.run(['pause', '--reason', 'a film']);
    const { stdout } = await f.run(['status']);
    assert.match(stdout, /^nothing trains: training is paused \(a film\).*jarvis resume/m);
    await f.run(['resume']);
    assert.equal(await heldNow(), null);
  });

  await t.test('a second up on this home says who has it, and leaves', async () => {
    const { code, stdout, stderr } = await f.run(['up']);
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(stderr, new RegExp(`runs on ${f.home} already \\(pid ${up.child.pid}, since .*jarvis down`));
    assert.deepEqual(await listening(f.ports), f.ports);
  });

  await t.test('train --watch follows a training to its version, each state once', async () => {
    const { code, stdout, stderr } = await f.run(['train', 'nlu', '--watch', '--epochs', '3']);
    assert.deepEqual([code, stderr], [0, '']);
    const lines = stdout.trimEnd().split('\n');
    assert.match(lines[0] ?? '', /^(job-|baseline-)/);
    const states = lines.filter((line) => /^(queued|waiting|starting|training|completed)/.test(line));
    assert.equal(new Set(states).size, states.length, stdout);
    assert.match(stdout, /█ epoch 3\/3 {2}loss \d/);
    assert.match(stdout, /^completed: trained v\d+\.\d+\.\d+$/m);
    assert.match(lines.at(-1) ?? '', /rollout follow/);
  });

  await t.test('train --json: the job, then its events, to the last', async () => {
    const { code, stdout, stderr } = await f.run(['train', 'nlu', '--watch', '--json', '--epochs', '3']);
    assert.deepEqual([code, stderr], [0, '']);
    const [job, ...events] = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown);
    assert.equal((job as Job).model_type, 'nlu');
    assert.deepEqual([...new Set((events as JobEvent[]).map((e) => e.job_id))], [(job as Job).job_id]);
    assert.equal((events as JobEvent[]).at(-1)?.state, 'completed');
  });

  await t.test('status tells what is under way, and why it is there', async () => {
    const asked = await f.run(['train', 'nlu', '--epochs', '100000']);
    assert.equal(asked.code, 0);
    const id = /^job-\S+/.exec(asked.stdout)?.[0] ?? 'no id';
    const { stdout } = await f.run(['status']);
    assert.match(stdout, new RegExp(`^training nlu: [a-z ]+( epoch \\d+/\\d+)?, .+ \\(${id}\\)$`, 'm'));
    const follow = f.start(['train', 'nlu', '--watch']);
    await follow.says(/job-/);
    follow.child.kill('SIGINT');
    const { code, stderr } = await follow.ended;
    assert.deepEqual([code, stderr], [130, 'No longer watching; the training goes on.\n']);
  });

  await t.test('logs of all of them', async () => {
    const { code, stdout } = await f.run(['logs', '-n', '100000']);
    assert.equal(code, 0);
    for (const name of ['supervisor', 'jarvis-core', 'j-prime', 'reactor-core'])
      assert.match(stdout, new RegExp(`^\\S+ (info|warn) +${name} `, 'm'));
    const found = await f.run(['logs', 'supervisor', '--grep', '3/3 operational']);
    assert.equal(found.stdout.trimEnd().split('\n').length, 1);
  });

  await t.test('Ctrl-C stops all in order, JARVIS Core last, and frees ports and home', async () => {
    up.child.kill('SIGINT');
    const { code, stdout, stderr } = await up.ended;
    assert.deepEqual([code, stderr], [0, '']);
    const stopped = [...stdout.matchAll(/^ {2}(.+) stopped /gm)].map((match) => match[1]);
    assert.deepEqual(new Set(stopped), new Set(['J-Prime', 'JARVIS Core', 'Reactor Core']));
    assert.equal(stopped.length, 3);
    assert.equal(stopped.at(-1), 'JARVIS Core');
    assert.match(stdout, /Stopping …[\s\S]*\nStopped\.\n$/);
    assert.deepEqual(await listening(f.ports), []);
    assert.equal(existsSync(join(f.home, 'supervisor.json')), false);
    const log = await readFile(join(f.home, 'logs', 'jarvis-supervisor.log'), 'utf8');
    assert.match(log, /"about":"jarvis-core","detail":"stopped: asked"/);
  });

  await t.test('afterwards the commands say that it is away, and what to do', async () => {
    const status = await f.run(['status']);
    assert.equal(status.code, 69);
    assert.match(status.stdout, /0\/3 operational; `jarvis up`/);
    const train = await f.run(['train', 'nlu']);
    assert.equal(train.code, 69);
    assert.match(train.stderr, /does not answer[\s\S]*`jarvis up` starts it/);
    const down = await f.run(['down']);
    assert.deepEqual([down.code, down.stdout], [0, `Nothing runs on ${f.home}.\n`]);
  });
});

function phasesOf(text: string): { log: string[]; at: number } {
  const found = [...text.matchAll(/^✔ (\d\/3) .* \d+\.\d s$/gm)];
  return { log: found.map((match) => match[1] ?? ''), at: found.at(-1)?.index ?? Infinity };
}
