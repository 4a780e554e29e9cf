// The engine of a command: real processes, started on demand, stopped, dying, hanging, found again.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { type CodedError, isCodedError } from '@jarvis/contracts';
import { processStartTicks, readTrees } from '@jarvis/process';
import { afterwards, fixtureLlmCommand, freePort, until } from '@jarvis/testkit';
import type { LlmEngine } from '../../src/llm/engine.ts';
import { asCommand, engineFor, never, ShiftedClock } from './engine-in.ts';

const fixture = (options: Parameters<typeof fixtureLlmCommand>[1] = {}) =>
  asCommand(fixtureLlmCommand('{port}', options));
const MB = 1024 ** 2;

async function isGone(pid: number): Promise<boolean> {
  return (await processStartTicks(pid)) === null;
}

async function pidOf(engine: LlmEngine): Promise<number> {
  const [pid] = await engine.pids();
  assert.ok(pid !== undefined, 'it runs');
  return pid;
}

async function refusal(doing: Promise<unknown>): Promise<CodedError> {
  const error: unknown = await doing.then(
    () => assert.fail('it was not refused'),
    (reason: unknown) => reason,
  );
  assert.ok(isCodedError(error, 'llm_unavailable'), String(error));
  return error;
}

test('it is started on demand, ready when it says so, and answers', async (t) => {
  const { engine } = await engineFor(t, fixture({ loadMs: 200, model: 'little' }));
  assert.equal(engine.baseUrl(), null);
  assert.deepEqual(await engine.pids(), []);
  assert.equal((await engine.look(never)).state, 'away');

  const bringing = engine.bring(never);
  await until('it to load', async () => (await engine.look(never)).state === 'loading');
  assert.equal(engine.baseUrl(), null);
  await bringing;
  const look = await engine.look(never);
  assert.equal(look.state, 'ready', look.detail);
  assert.deepEqual(look.models, ['little']);
  const answer = await fetch(`${engine.baseUrl()}/v1/chat/completions`, {
    method: 'POST',
    body: JSON.stringify({ messages: [{ role: 'user', content: 'one two three' }] }),
  });
  const { choices } = (await answer.json()) as { choices: { message: { content: string } }[] };
  assert.equal(choices[0]?.message.content, 'one two three');
});

test('its end gives its memory back, and it can be brought again', async (t) => {
  const { engine } = await engineFor(t, fixture({ memoryMb: 120 }));
  await engine.bring(never);
  const pid = await pidOf(engine);
  const memory = (await readTrees([pid])).get(pid);
  assert.ok((memory?.anonymous_bytes ?? 0) > 120 * MB, String(memory?.anonymous_bytes));
  await engine.release('stop', never);
  assert.ok(await isGone(pid));
  assert.equal((await engine.look(never)).state, 'away');
  assert.equal(engine.baseUrl(), null);
  await engine.release('stop', never); // nothing to do
  await engine.bring(never);
  assert.notEqual(await pidOf(engine), pid);
});

test('one call to bring it or many, it is one process', async (t) => {
  const { engine } = await engineFor(t, fixture({ loadMs: 100 }));
  await Promise.all([engine.bring(never), engine.bring(never), engine.bring(never)]);
  const pid = await pidOf(engine);
  await engine.bring(never);
  assert.equal(await pidOf(engine), pid);
});

test('a command line is taken apart, the port is in it or in PORT, and no secret is passed on', async (t) => {
  const words = fixtureLlmCommand('{port}').map((word) => `"${word}"`);
  const { engine } = await engineFor(t, {
    command: words.slice(0, 2).join(' '),
    env: { ...process.env, JARVIS_API_TOKEN: 'a-secret-of-ours', HF_HOME: '/models' },
  });
  await engine.bring(never);
  const environment = await readFile(`/proc/${await pidOf(engine)}/environ`, 'utf8');
  assert.match(environment, new RegExp(`PORT=${new URL(engine.baseUrl() ?? '').port}\0`));
  assert.match(environment, /HF_HOME=\/models/);
  assert.doesNotMatch(environment, /a-secret-of-ours/);
});

test('one without /health is ready by its list of models', async (t) => {
  const { engine } = await engineFor(t, fixture({ loadMs: 100, manner: 'no_health' }));
  await engine.bring(never);
  assert.equal((await engine.look(never)).state, 'ready');
});

test('an end while it loads is an error with its last lines', async (t) => {
  const { engine, folder } = await engineFor(t, fixture({ manner: 'dies' }));
  const { message } = await refusal(engine.bring(never));
  assert.match(message, /it ended with exit code 7/);
  assert.match(message, /the fixture was told to die/);
  assert.match(message, new RegExp(join(folder, 'logs/llm.log')));
  assert.deepEqual(await engine.pids(), []);
  assert.equal((await engine.look(never)).state, 'away');
});

test('a program that is not there is an error that names it', async (t) => {
  const { engine } = await engineFor(t, { command: 'no-such-llm-server --port {port}' });
  assert.match((await refusal(engine.bring(never))).message, /no-such-llm-server.*not found/s);
});

test('after a crash it is away, and the next call starts it again', async (t) => {
  const { engine } = await engineFor(t, fixture());
  await engine.bring(never);
  const pid = await pidOf(engine);
  process.kill(pid, 'SIGKILL');
  await until('the crash to be seen', async () => (await engine.look(never)).state === 'away');
  await engine.bring(never);
  assert.notEqual(await pidOf(engine), pid);
  process.kill(await pidOf(engine), 'SIGKILL');
  await engine.bring(never); // at once, before anybody has looked
  assert.equal((await engine.look(never)).state, 'ready');
});

test('who dies young again and again is left alone for a while, and tried again after it', async (t) => {
  const clock = new ShiftedClock();
  const deaths = { youngMs: 60_000, inARowMax: 3, pauseMs: 20_000, pauseMsMax: 100_000 };
  const { engine } = await engineFor(t, { ...fixture({ manner: 'dies' }), clock, limits: { deaths } });
  for (let n = 0; n < 3; n++) await refusal(engine.bring(never));
  const look = await engine.look(never);
  assert.equal(look.state, 'broken');
  assert.match(look.detail, /it died 3 times in a row.*left alone for \d+ s more.*exit code 7/);
  const { details } = await refusal(engine.bring(never));
  assert.ok((details.retry_after_seconds ?? 0) >= 19, String(details.retry_after_seconds));
  clock.moveOn(40_000);
  assert.equal((await engine.look(never)).state, 'away');
  assert.match((await refusal(engine.bring(never))).message, /exit code 7/, 'it was tried');
  assert.match((await engine.look(never)).detail, /4 times/);
});

test('crashes of one that lived long do not count as a row', async (t) => {
  const clock = new ShiftedClock();
  const deaths = { youngMs: 60_000, inARowMax: 2, pauseMs: 20_000, pauseMsMax: 100_000 };
  const { engine } = await engineFor(t, { ...fixture(), clock, limits: { deaths } });
  for (let n = 0; n < 3; n++) {
    await engine.bring(never);
    clock.moveOn(60_000);
    process.kill(await pidOf(engine), 'SIGKILL');
    await until('the crash to be seen', async () => (await engine.look(never)).state === 'away');
  }
});

test('one that hangs at its start is stopped at the limit; the sentence says what it answered', async (t) => {
  const clock = new ShiftedClock();
  const { engine } = await engineFor(t, { ...fixture({ manner: 'hangs' }), clock });
  const bringing = refusal(engine.bring(never));
  await until('it to load', async () => (await engine.look(never)).detail === '/health answers 503');
  const pid = await pidOf(engine);
  clock.moveOn(300_000);
  assert.match((await bringing).message, /it is not ready after 300 s: \/health answers 503/);
  assert.ok(await isGone(pid));
});

test('one that never listens is told how a command learns its port', async (t) => {
  const { engine } = await engineFor(t, { ...fixture({ manner: 'silent' }), limits: { startMs: 500 } });
  const { message } = await refusal(engine.bring(never));
  assert.match(message, /ECONNREFUSED.*\{port\} in the command.*PORT/s);
});

test('a start is called off by its caller, by a release and by a close', async (t) => {
  const { engine } = await engineFor(t, fixture({ manner: 'hangs' }));
  const callOff: ((giveUp: AbortController) => unknown)[] = [
    (giveUp) => giveUp.abort(),
    () => engine.release('stop', never),
    () => engine.close(),
  ];
  for (const off of callOff) {
    const giveUp = new AbortController();
    const bringing = refusal(engine.bring(giveUp.signal));
    const pid = await until('it to run', async () => (await engine.pids())[0]);
    const done = off(giveUp);
    assert.match((await bringing).message, /called off/);
    await done;
    assert.ok(await isGone(pid));
    assert.equal((await engine.look(never)).state, 'away', 'calling off is no death');
  }
  await assert.rejects(engine.bring(never), 'it is closed');
});

test('one that does not hear SIGTERM is killed after its grace', async (t) => {
  const { engine, folder } = await engineFor(t, {
    ...fixture({ manner: 'deaf' }),
    limits: { stopGraceMs: 300 },
  });
  await engine.bring(never);
  const pid = await pidOf(engine);
  await engine.release('stop', never);
  assert.ok(await isGone(pid));
  assert.match(await readFile(join(folder, 'logs/llm.log'), 'utf8'), /heard SIGTERM, and goes on/);
});

test('a port of its own that is taken is an error that names the program on it', async (t) => {
  const other = createServer((_req, res) => res.end('{}'));
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  afterwards(t, () => other.close());
  const { port } = other.address() as AddressInfo;
  const { engine } = await engineFor(t, { ...asCommand(fixtureLlmCommand(port)), port });
  const { message } = await refusal(engine.bring(never));
  assert.match(message, new RegExp(`port ${port} of the LLM server is taken \\(pid ${process.pid}: `));
});

test('a port of its own that is free is used', async (t) => {
  const port = await freePort();
  const { engine } = await engineFor(t, { ...asCommand(fixtureLlmCommand(port)), port });
  await engine.bring(never);
  assert.equal(engine.baseUrl(), `http://127.0.0.1:${port}`);
});

test('one that stands still is busy at first, then away; brought, it is replaced', async (t) => {
  const clock = new ShiftedClock();
  const { engine } = await engineFor(t, { ...fixture(), clock });
  await engine.bring(never);
  const pid = await pidOf(engine);
  process.kill(pid, 'SIGSTOP');
  const giveUp = AbortSignal.abort(); // as an answer that does not come, without the wait
  assert.match((await engine.look(giveUp)).detail, /busy/);
  assert.equal((await engine.look(giveUp)).state, 'ready');
  assert.equal((await engine.look(giveUp)).state, 'away');
  const bringing = engine.bring(never);
  await new Promise(setImmediate); // it has begun to wait
  clock.moveOn(300_000);
  await bringing;
  assert.ok(await isGone(pid));
  assert.equal((await engine.look(never)).state, 'ready');
});

test('what an obstacle says is said before anything is started', async (t) => {
  let obstacle: string | null = 'the model is not there';
  const { engine } = await engineFor(t, { ...fixture(), obstacle: async () => obstacle });
  assert.match((await engine.look(never)).detail, /the model is not there/);
  assert.equal((await engine.look(never)).state, 'broken');
  assert.match((await refusal(engine.bring(never))).message, /the model is not there/);
  obstacle = null;
  await engine.bring(never);
});

test('its log is rotated while it runs', async (t) => {
  const { engine, folder } = await engineFor(t, {
    ...fixture(),
    limits: { logBytesMax: 10, logFilesKept: 1 },
  });
  await engine.bring(never);
  await until('a rotated log', () =>
    readFile(join(folder, 'logs/llm.log.1'), 'utf8').then(
      (text) => text.includes('listening'),
      () => false,
    ),
  );
});
