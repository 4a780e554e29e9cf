// A GGUF file served by this house: a real model, tiny and random, in a real process.
import assert from 'node:assert/strict';
import { truncate, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { isCodedError } from '@jarvis/contracts';
import { processStartTicks, readTrees, type TreeMemory } from '@jarvis/process';
import { silentLogger, systemClock, systemRandom } from '@jarvis/runtime';
import { afterwards, seededRandom, tempFolder, until, writeTinyGguf } from '@jarvis/testkit';
import type { LlmEngine } from '../../src/llm/engine.ts';
import { createGgufEngine } from '../../src/llm/own/gguf/gguf-engine.ts';
import { findLibrary, LIBRARY_FOLDER } from '../../src/llm/own/gguf/library.ts';
import { WAITING_MAX } from '../../src/llm/own/gguf/line.ts';
import { never } from './engine-in.ts';

const MB = 1024 ** 2;
const SEED = 1;
/** A process with the library in it takes more. */
const SERVER_BYTES_MIN = 60 * MB;
/** What this process may take or give back meanwhile by its own doing. */
const OWN_CHANGE_BYTES_MAX = 40 * MB;
const skip = findLibrary(LIBRARY_FOLDER) === null && 'node-llama-cpp is not installed: npm run setup:llm';

async function engineOf(
  t: TestContext,
  make: (path: string) => Promise<unknown> = (path) => writeTinyGguf(path, seededRandom(SEED)),
  libraryFolder = LIBRARY_FOLDER,
): Promise<LlmEngine> {
  const folder = await tempFolder(t);
  const modelPath = join(folder, 'tiny.gguf');
  await make(modelPath);
  const engine = await createGgufEngine({
    modelPath,
    contextTokens: 256,
    threads: 1,
    libraryFolder,
    env: process.env,
    cwd: folder,
    folder,
    logs: folder,
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger(),
  });
  afterwards(t, () => engine.close());
  return engine;
}

function post(engine: LlmEngine, path: string, body: object, signal: AbortSignal = never): Promise<Response> {
  return fetch(`${engine.baseUrl()}${path}`, { method: 'POST', body: JSON.stringify(body), signal });
}

interface Answer {
  readonly object: string;
  readonly choices: {
    readonly message?: { readonly role: string; readonly content: string };
    readonly delta?: { readonly content?: string };
    readonly text?: string;
    readonly finish_reason: string | null;
  }[];
  readonly usage?: { prompt_tokens: number; completion_tokens: number; total_tokens: number };
}

async function answer(engine: LlmEngine, path: string, body: object): Promise<Answer> {
  const response = await post(engine, path, body);
  const text = await response.text();
  assert.equal(response.status, 200, text);
  return JSON.parse(text) as Answer;
}

async function events(engine: LlmEngine, path: string, body: object): Promise<string[]> {
  const response = await post(engine, path, { ...body, stream: true });
  assert.match(response.headers.get('content-type') ?? '', /^text\/event-stream/);
  const lines = (await response.text()).split('\n\n').filter((line) => line !== '');
  assert.ok(
    lines.every((line) => line.startsWith('data: ')),
    lines.join('|'),
  );
  return lines.map((line) => line.slice('data: '.length));
}

const messages = [
  { role: 'system', content: 'be brief' },
  { role: 'user', content: [{ type: 'text', text: 'hello' }] },
];

test('it answers in the manner of OpenAI, at once and as a stream', { skip }, async (t) => {
  const engine = await engineOf(t);
  await engine.bring(never);
  assert.deepEqual((await engine.look(never)).models, ['tiny']);
  assert.equal((await engine.look(never)).running, 0);

  const chat = await answer(engine, '/v1/chat/completions', { messages, max_tokens: 12, temperature: 0 });
  const said = chat.choices[0];
  assert.deepEqual(
    [chat.object, said?.message?.role, said?.finish_reason],
    ['chat.completion', 'assistant', 'length'],
  );
  assert.equal(chat.usage?.completion_tokens, 12);
  assert.ok((chat.usage?.prompt_tokens ?? 0) > 'be briefhello'.length, JSON.stringify(chat.usage));

  const streamed = await events(engine, '/v1/chat/completions', {
    messages,
    max_tokens: 12,
    temperature: 0,
    stream_options: { include_usage: true },
  });
  assert.equal(streamed.at(-1), '[DONE]');
  const chunks = streamed.slice(0, -1).map((text) => JSON.parse(text) as Answer);
  assert.deepEqual(chunks.at(-1)?.usage, chat.usage);
  assert.equal(
    chunks.map((chunk) => chunk.choices[0]?.delta?.content ?? '').join(''),
    said?.message?.content,
    'the same words, one by one',
  );
  assert.equal(chunks.at(-2)?.choices[0]?.finish_reason, 'length');

  const prompt = 'once upon a time';
  const whole = await answer(engine, '/v1/completions', { prompt, max_tokens: 30, temperature: 0 });
  const text = whole.choices[0]?.text ?? '';
  const stop = /^.{3,}?([a-z0-9])/su.exec(text)?.[1] ?? assert.fail(`no letter in ${JSON.stringify(text)}`);
  const cut = await answer(engine, '/v1/completions', { prompt, max_tokens: 30, temperature: 0, stop });
  assert.equal(cut.choices[0]?.finish_reason, 'stop');
  assert.equal(cut.choices[0]?.text, text.slice(0, text.indexOf(stop)));

  const vectors = (await (await post(engine, '/v1/embeddings', { input: ['on', 'off'] })).json()) as {
    data: { embedding: number[] }[];
  };
  assert.deepEqual(
    vectors.data.map(({ embedding }) => embedding.length),
    [64, 64],
  );
  assert.notDeepEqual(vectors.data[0]?.embedding, vectors.data[1]?.embedding);
});

test('what it cannot do is refused with a reason', { skip }, async (t) => {
  const engine = await engineOf(t);
  await engine.bring(never);
  const status = async (path: string, body: object): Promise<[number, string]> => {
    const response = await post(engine, path, body);
    const { error } = (await response.json()) as { error: { message: string } };
    return [response.status, error.message];
  };
  assert.deepEqual((await status('/v1/chat/completions', { messages: [] }))[0], 400);
  const [long, why] = await status('/v1/completions', { prompt: 'word '.repeat(300) });
  assert.equal(long, 400);
  assert.match(why, /the prompt has \d+ tokens, and the context 256/);
  assert.equal((await status('/v1/nothing', {}))[0], 404);

  const foreign = await new Promise<number | undefined>((resolve, reject) => {
    request(`${engine.baseUrl()}/v1/models`, { headers: { host: 'evil.example' } }, (response) => {
      response.resume();
      resolve(response.statusCode);
    })
      .on('error', reject)
      .end();
  });
  assert.equal(foreign, 403);
});

test(
  'one request at a time, some may wait, more are sent away; who goes is not worked for',
  { skip },
  async (t) => {
    const engine = await engineOf(t);
    await engine.bring(never);
    // The tiny model seldom ends by itself: each takes its time.
    const gone = new AbortController();
    const refused: (number | string | null)[][] = [];
    const many = Array.from({ length: WAITING_MAX + 3 }, async () => {
      const asked = { prompt: 'a', temperature: 0 };
      const { status, headers } = await post(engine, '/v1/completions', asked, gone.signal);
      if (status === 503) refused.push([status, headers.get('retry-after')]);
    });
    await until('some to be sent away', () => refused.length > 0);
    assert.deepEqual(refused[0], [503, '2']);
    gone.abort();
    await Promise.allSettled(many);
    await until('the line to be empty', async () => (await engine.look(never)).running === 0);
  },
);

test('its end gives all of its memory back', { skip }, async (t) => {
  const engine = await engineOf(t);
  const own = process.pid;
  const measured = async (): Promise<TreeMemory> => {
    const memory = (await readTrees([own])).get(own);
    assert.ok(memory !== undefined);
    return memory;
  };
  // Once, so that what this process itself takes for calls is there before.
  await engine.bring(never);
  await answer(engine, '/v1/completions', { prompt: 'a', max_tokens: 40 });
  await engine.release('stop', never);
  const before = await measured();
  await engine.bring(never);
  const [pid = 0] = await engine.pids();
  const ready = (await readTrees([pid])).get(pid);
  await answer(engine, '/v1/completions', { prompt: 'a', max_tokens: 40 });
  const during = await measured();
  await engine.release('stop', never);
  const after = await measured();
  const row = (what: string, memory: TreeMemory | undefined): void =>
    t.diagnostic(
      `${what}: ${[memory?.pss_bytes, memory?.anonymous_bytes, memory?.file_backed_bytes]
        .map((bytes) => Math.round((bytes ?? 0) / MB))
        .join(' / ')} MiB proportional / anonymous / file-backed`,
    );
  row('this process before', before);
  row('the model server when ready', ready);
  row('both while it answers', during);
  row('this process after its end', after);
  assert.ok(during.pss_bytes - before.pss_bytes > SERVER_BYTES_MIN, 'it was there');
  assert.equal(after.processes, before.processes);
  assert.ok(Math.abs(after.pss_bytes - before.pss_bytes) < OWN_CHANGE_BYTES_MAX, 'and is gone');
  assert.equal(await processStartTicks(pid), null);
});

async function refusedWith(engine: LlmEngine, pattern: RegExp): Promise<void> {
  await assert.rejects(engine.bring(never), (error: unknown) => {
    assert.ok(isCodedError(error, 'llm_unavailable'), String(error));
    assert.match(error.message, pattern);
    return true;
  });
  assert.deepEqual(await engine.pids(), []);
}

test('a file that is not there, or is no model, is said before anything is started', { skip }, async (t) => {
  const absent = await engineOf(t, async () => undefined);
  await refusedWith(absent, /tiny\.gguf is not there/);
  assert.equal((await absent.look(never)).state, 'broken');
  await refusedWith(
    await engineOf(t, (path) => writeFile(path, 'PK a zip')),
    /tiny\.gguf is not a GGUF file/,
  );
  await refusedWith(
    await engineOf(t, (path) => writeFile(path, 'GGUF')),
    /tiny\.gguf is cut off: it ends after 4/,
  );
});

test('a model that is cut off ends its own process, with a sentence', { skip }, async (t) => {
  const engine = await engineOf(t, async (path) => {
    await writeTinyGguf(path, seededRandom(SEED));
    await truncate(path, 100_000);
  });
  await refusedWith(engine, /tiny\.gguf cannot be loaded: .+/);
});

test('without the library the sentence says how to install it', async (t) => {
  const engine = await engineOf(t, undefined, await tempFolder(t));
  assert.match((await engine.look(never)).detail, /npm run setup:llm/);
  await refusedWith(engine, /node-llama-cpp is not installed: npm run setup:llm/);
});
