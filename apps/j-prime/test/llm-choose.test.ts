// Which LLM server is meant, from the environment.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Environment } from '@jarvis/contracts';
import { type Config, readConfig, silentLogger, systemClock, systemRandom } from '@jarvis/runtime';
import { freePort } from '@jarvis/testkit';
import { createLlmEngine, type EngineFactories } from '../src/llm/choose.ts';
import { FixtureEngine } from './fixture-llm/engine.ts';

function configOf(values: Partial<Environment>): Config {
  const read = readConfig({ environment: {}, cwd: import.meta.dirname });
  assert.ok(read.ok);
  return { ...read.config, env: { ...read.config.env, ...values } };
}
const create = (values: Partial<Environment>, engines?: EngineFactories) =>
  createLlmEngine(
    {
      config: configOf(values),
      environment: {},
      cwd: import.meta.dirname,
      clock: systemClock,
      random: systemRandom,
      logger: silentLogger(),
    },
    engines,
  );

test('none, or the one that is set', async () => {
  assert.equal(await create({}), null);
  const engine = new FixtureEngine({ port: 1 });
  const asked: string[] = [];
  const note = async (value: string): Promise<FixtureEngine> => {
    asked.push(value);
    return engine;
  };
  const engines = { JPRIME_LLM_COMMAND: note, JPRIME_LLM_MODEL: note, JPRIME_LLM_URL: note };
  assert.equal(await create({ JPRIME_LLM_URL: 'http://there', JPRIME_LLM_KIND: 'ollama' }, engines), engine);
  assert.equal(await create({ JPRIME_LLM_MODEL: 'a.gguf' }, engines), engine);
  assert.deepEqual(asked, ['http://there', 'a.gguf']);
});

test('a server that is not there yet is no reason not to start, and says so', async (t) => {
  const JPRIME_LLM_URL = `http://127.0.0.1:${await freePort()}/v1/`;
  const engine = await create({ JPRIME_LLM_URL, JPRIME_LLM_KIND: null });
  assert.ok(engine !== null);
  t.after(() => engine.close());
  assert.equal(engine.baseUrl(), JPRIME_LLM_URL.slice(0, -'/v1/'.length));
  const { state, detail } = await engine.look(new AbortController().signal);
  assert.equal(state, 'away');
  assert.match(detail, /nobody answers at http.* yet \(.*ECONNREFUSED/);
});
