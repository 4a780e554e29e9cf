// Which LLM server is meant, from the environment.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Environment, isCodedError } from '@jarvis/contracts';
import { type Config, readConfig, silentLogger, systemClock, systemRandom } from '@jarvis/runtime';
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

test('none, one, or a contradiction that is told', async () => {
  assert.equal(await create({}), null);
  const engine = new FixtureEngine({ port: 1 });
  const asked: string[] = [];
  const engines: EngineFactories = {
    JPRIME_LLM_URL: async (value) => {
      asked.push(value);
      return engine;
    },
  };
  assert.equal(await create({ JPRIME_LLM_URL: 'http://there', JPRIME_LLM_KIND: 'ollama' }, engines), engine);
  assert.deepEqual(asked, ['http://there']);
  await assert.rejects(
    create({ JPRIME_LLM_URL: 'http://there', JPRIME_LLM_MODEL: 'a.gguf' }, engines),
    (error) =>
      isCodedError(error, 'invalid_request') && /JPRIME_LLM_MODEL, JPRIME_LLM_URL/.test(error.message),
  );
  await assert.rejects(create({ JPRIME_LLM_KIND: 'ollama' }, engines), /JPRIME_LLM_KIND/);
  await assert.rejects(create({ JPRIME_LLM_MODEL: 'a.gguf' }, {}), (error) =>
    isCodedError(error, 'llm_unavailable'),
  );
});
