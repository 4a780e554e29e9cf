// J-Prime's /v1 asked by OpenAI's own packages, from npm and from PyPI; behind it the fixture LLM server, which J-Prime starts
// when it is asked, and which says back what it hears.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { afterwards, fixtureLlmCommand } from '@jarvis/testkit';
import OpenAI, { APIError } from 'openai';
import { FixtureCore } from '../../apps/j-prime/test/fixture-core.ts';
import { makeWorld, startPrime } from '../../apps/j-prime/test/harness.ts';
import { asCommand, engineIn } from '../../apps/j-prime/test/llm/engine-in.ts';
import { ask, skip } from './python.ts';

const TEXT = 'say this back, word for word';
const WORDS = ['say ', 'this ', 'back, ', 'word ', 'for ', 'word'];

/** @returns the address of `/v1` */
async function openAiBehind(t: TestContext): Promise<string> {
  const world = await makeWorld();
  const core = new FixtureCore();
  await core.start();
  afterwards(t, () => core.stop());
  Object.assign(world.environment, { JARVIS_CORE_API_URL: core.url });
  const engine = await engineIn(world.folder, asCommand(fixtureLlmCommand('{port}')));
  const prime = await startPrime(world, engine);
  afterwards(t, () => prime.stop());
  return `${prime.url}/v1`;
}

test('openai of npm: models, a chat, the same as a stream, embeddings, a refusal', async (t) => {
  const client = new OpenAI({ baseURL: await openAiBehind(t), apiKey: 'none', maxRetries: 0 });
  const messages = [{ role: 'user' as const, content: TEXT }];
  const whole = await client.chat.completions.create({ model: 'fixture', messages });
  assert.equal(whole.choices[0]?.message.content, TEXT);
  assert.equal(whole.usage?.total_tokens, 2 * WORDS.length);
  const pieces: string[] = [];
  for await (const chunk of await client.chat.completions.create({
    model: 'fixture',
    messages,
    stream: true,
  })) {
    const piece = chunk.choices[0]?.delta.content;
    if (piece !== undefined && piece !== null) pieces.push(piece);
  }
  assert.deepEqual(pieces, WORDS);
  const models: string[] = [];
  for await (const { id } of client.models.list()) models.push(id);
  assert.deepEqual(models, ['fixture']);
  const { data } = await client.embeddings.create({
    model: 'fixture',
    input: [TEXT],
    encoding_format: 'float',
  });
  assert.equal(data[0]?.embedding.length, 4);
  await assert.rejects(
    client.chat.completions.create({ model: 'fixture', messages: 'none' as never }),
    (error) => error instanceof APIError && error.status === 400,
  );
});

test('openai of PyPI: the same', { skip }, async (t) => {
  const said = await ask<Record<string, unknown>>('ask_openai.py', [await openAiBehind(t), TEXT]);
  const { embedding, ...rest } = said;
  assert.equal((embedding as number[]).length, 4);
  assert.deepEqual(rest, {
    models: ['fixture'],
    whole: TEXT,
    tokens: 2 * WORDS.length,
    pieces: WORDS,
    refused: 400,
  });
});
