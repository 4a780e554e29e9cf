// Configuration: what wins, what contradicts itself, and that every mistake is told at once before anything starts.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { tempFolder } from '@jarvis/testkit';
import { type Config, readConfig } from '../src/index.ts';

const PROGRAM = join(import.meta.dirname, 'children', 'reads-config.ts');
type Variables = Readonly<Record<string, string>>;

function good(environment: Variables, cwd: string): Config {
  const result = readConfig({ environment, cwd });
  if (!result.ok) throw new assert.AssertionError({ message: result.problems.join('\n') });
  return result.config;
}

function problems(environment: Variables, cwd = '/nonexistent'): readonly string[] {
  const result = readConfig({ environment, cwd });
  return result.ok ? [] : result.problems;
}

function naming(list: readonly string[], name: string): readonly string[] {
  return list.filter((p) => p.startsWith(`${name}:`) || p.startsWith(`${name},`));
}

function runProgram(cwd: string, environment: Variables) {
  return spawnSync(process.execPath, [PROGRAM], {
    cwd,
    env: { HOME: cwd, ...environment },
    encoding: 'utf8',
  });
}

test('a program with bad configuration exits 78, lists every problem on stderr and nothing on stdout', async (t) => {
  const cwd = await tempFolder(t);
  await writeFile(join(cwd, '.env'), 'ROLLOUT_ALPHA=lots\n');
  const run = runProgram(cwd, {
    JARVIS_PORT: 'abc',
    TRAINING_LOCK_TTL: '-3',
    REACTOR_CORE_PRT: '8090',
    JARVIS_HOST: '0.0.0.0',
    JARVIS_PRIME_PORT: '7000',
    REACTOR_CORE_PORT: '7000',
  });
  assert.equal(run.status, 78);
  assert.equal(run.stdout, '');
  for (const name of ['JARVIS_PORT', 'TRAINING_LOCK_TTL', 'ROLLOUT_ALPHA', 'REACTOR_CORE_PRT'])
    assert.match(run.stderr, new RegExp(`^  ${name}: `, 'm'), name);
  assert.match(run.stderr, /^ {2}JARVIS_HOST: .*JARVIS_API_TOKEN/m);
  assert.match(run.stderr, /^ {2}JARVIS_PRIME_PORT, REACTOR_CORE_PORT: .*have to differ/m);
  assert.match(run.stderr, /6 mistakes/);
});

test('a program with good configuration goes on', async (t) => {
  const cwd = await tempFolder(t);
  const run = runProgram(cwd, { JARVIS_PORT: '7001', JARVIS_HOME: 'state' });
  assert.equal(run.status, 0, run.stderr);
  assert.deepEqual(JSON.parse(run.stdout), { port: 7001, home: join(cwd, 'state') });
});

test('.env is read, and gives way to the environment; an empty value counts as unset', async (t) => {
  const cwd = await tempFolder(t);
  await writeFile(
    join(cwd, '.env'),
    '# a comment\nJARVIS_PORT=7001\nJARVIS_PRIME_PORT="7002"\nREACTOR_CORE_PORT=\n',
  );
  const config = good({ JARVIS_PRIME_PORT: '7003', JARVIS_PORT: '' }, cwd);
  assert.equal(config.env.JARVIS_PORT, 7001);
  assert.equal(config.env.JARVIS_PRIME_PORT, 7003);
  assert.equal(config.env.REACTOR_CORE_PORT, 8090);
  assert.deepEqual(
    [config.sources.JARVIS_PORT, config.sources.JARVIS_PRIME_PORT, config.sources.REACTOR_CORE_PORT],
    ['.env', 'environment', 'default'],
  );
});

test('a .env that cannot be read is a problem like any other', async (t) => {
  const cwd = await tempFolder(t);
  await mkdir(join(cwd, '.env'));
  const run = runProgram(cwd, { JARVIS_PORT: 'abc' });
  assert.equal(run.status, 78);
  assert.match(run.stderr, /\.env: cannot be read/);
  assert.match(run.stderr, /JARVIS_PORT: /);
});

test('listening elsewhere than on loopback needs a token, for each of the services', () => {
  const token = { JARVIS_API_TOKEN: 'a-token-of-some-length' };
  for (const name of ['JARVIS_HOST', 'JARVIS_PRIME_HOST', 'REACTOR_CORE_HOST']) {
    for (const host of ['0.0.0.0', '192.168.1.20', '::', '127.0.0.1.example.org'])
      assert.equal(naming(problems({ [name]: host }), name).length, 1, `${name}=${host}`);
    for (const host of ['127.0.0.1', '127.9.9.9', 'localhost', '::1'])
      assert.deepEqual(problems({ [name]: host }), [], `${name}=${host}`);
    assert.deepEqual(problems({ [name]: '0.0.0.0', ...token }), []);
  }
});

test('a token that is too short is refused, and never printed', () => {
  const list = problems({ JARVIS_API_TOKEN: 'hunter2' });
  assert.equal(naming(list, 'JARVIS_API_TOKEN').length, 1);
  assert.ok(!list.join('\n').includes('hunter2'));
});

test('equal ports are refused, also when one of them is a default', () => {
  assert.equal(problems({ JARVIS_PORT: '7000', JARVIS_PRIME_PORT: '7000' }).length, 1);
  assert.equal(problems({ JARVIS_PORT: '8090' }).length, 1);
  assert.deepEqual(problems({ JARVIS_PORT: '7000', JARVIS_PRIME_PORT: '7001' }), []);
});

test('a misspelt variable of ours is a problem, one of somebody else is not', async (t) => {
  const cwd = await tempFolder(t);
  await writeFile(join(cwd, '.env'), 'ROLLOUT_STEPP=1\nEDITOR=vi\n');
  const list = problems({ AB_TEST_ENABELD: 'true', PATH: '/bin' }, cwd);
  assert.deepEqual(list.toSorted(), [
    'AB_TEST_ENABELD: there is no such variable',
    'ROLLOUT_STEPP: there is no such variable',
  ]);
});

test('there is one LLM server, and what speaks of one that is there needs its address', () => {
  const url = { JPRIME_LLM_URL: 'http://127.0.0.1:11434' };
  for (const good of [{}, url, { ...url, JPRIME_LLM_KIND: 'vllm', JPRIME_LLM_API_KEY: 'k' }])
    assert.deepEqual(problems(good), []);
  const two = { JPRIME_LLM_COMMAND: 'serve', JPRIME_LLM_MODEL: 'a.gguf' };
  assert.deepEqual(problems(two), [
    'JPRIME_LLM_COMMAND, JPRIME_LLM_MODEL: only one of them may be set, for J-Prime has one LLM server',
  ]);
  assert.match(
    problems({ ...two, ...url })[0] ?? '',
    /^JPRIME_LLM_COMMAND, JPRIME_LLM_MODEL, JPRIME_LLM_URL: /,
  );
  // One that is wrong in itself was meant to be set all the same.
  assert.equal(problems({ ...two, JPRIME_LLM_URL: 'no address' }).length, 2);
  for (const alone of ['JPRIME_LLM_KIND', 'JPRIME_LLM_API_KEY'] as const)
    assert.deepEqual(problems({ [alone]: 'ollama' }), [
      `${alone}: speaks of the server at JPRIME_LLM_URL, which is not set`,
    ]);
  assert.match(problems({ ...url, JPRIME_LLM_KIND: 'gpt' }).join(), /has to be one of ollama, llama-swap/);
  const told = problems({ JPRIME_LLM_URL: 'http://me:hunter2@h' });
  assert.equal(told.length, 1);
  assert.ok(!told.join().includes('hunter2'));
});

test('the database is SQLite unless a Postgres URL is given; its schemas are one for each service', () => {
  assert.equal(good({}, '/w').database.url, null);
  const { database } = good(
    {
      DATABASE_URL: 'postgresql://me:pw@h:5433/db',
      DATABASE_SCHEMA_PREFIX: 'home_2_',
    },
    '/w',
  );
  assert.equal(database.url, 'postgresql://me:pw@h:5433/db');
  assert.deepEqual(Object.values(database.schemas), [
    'home_2_jarvis_core',
    'home_2_j_prime',
    'home_2_reactor_core',
  ]);
  for (const url of ['mysql://me:pw@h/db', 'h/db'])
    assert.match(problems({ DATABASE_URL: url }).join(), /^DATABASE_URL: has to be a URL such as postgres:/);
  assert.doesNotMatch(problems({ DATABASE_URL: 'mysql://me:pw@h/db' }).join(), /pw@/);
  for (const prefix of ['pg_x', 'A', '1a', 'a b', 'a'.repeat(41)])
    assert.match(problems({ DATABASE_SCHEMA_PREFIX: prefix }).join(), /^DATABASE_SCHEMA_PREFIX: /, prefix);
});

test('folders lie below the home unless they are given; relative ones count from the working folder', () => {
  const config = good({ JARVIS_HOME: '/h', EXPERIENCE_DIR: 'drop' }, '/w');
  assert.equal(config.home, '/h');
  assert.equal(config.paths.core, '/h/jarvis-core');
  assert.equal(config.paths.runs, '/h/reactor-core/runs');
  assert.equal(config.paths.drop, '/w/drop');
  assert.equal(good({ XDG_DATA_HOME: '/x' }, '/w').home, '/x/jarvis');
});

test('addresses follow host and port, and lose a slash at their end', () => {
  const token = { JARVIS_API_TOKEN: 'a-token-of-some-length' };
  const config = good(
    {
      ...token,
      JARVIS_HOST: '0.0.0.0',
      JARVIS_PORT: '7000',
      REACTOR_CORE_HOST: '::1',
      JARVIS_PRIME_API_URL: 'http://other:9/base/',
    },
    '/w',
  );
  assert.deepEqual(config.urls, {
    'jarvis-core': 'http://127.0.0.1:7000',
    'j-prime': 'http://other:9/base',
    'reactor-core': 'http://[::1]:8090',
  });
});
