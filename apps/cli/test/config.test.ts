// `jarvis config`, and what bad configuration does to every command: all mistakes at once, exit code 78, nothing started.
import assert from 'node:assert/strict';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { ENVIRONMENT, EXIT_CONFIG } from '@jarvis/contracts';
import type { ConfigEntry } from '../src/config-command.ts';
import { fixture, listening } from './fixture.ts';

const MISTAKES = {
  JARVIS_PORT: 'abc',
  ROLLOUT_ALPHA: '9',
  JPRIME_FOO: '1',
  JPRIME_LLM_KIND: 'ollama',
};

for (const args of [['up'], ['down'], ['status'], ['logs'], ['train', 'nlu'], ['config']])
  test(`every mistake is told at once, and nothing is started: ${args.join(' ')}`, async (t) => {
    const f = await fixture(t);
    const { code, stdout, stderr } = await f.run(args, MISTAKES);
    assert.deepEqual([code, stdout], [EXIT_CONFIG, '']);
    assert.match(stderr, /4 mistakes; nothing was started/);
    for (const name of Object.keys(MISTAKES)) assert.match(stderr, new RegExp(`^ +${name}: `, 'm'));
    assert.match(stderr, /ROLLOUT_ALPHA: has to be from \S+ to \S+ \(it is "9"\)/);
    assert.deepEqual(await readdir(f.folder), [], 'not even the home is made');
    assert.deepEqual(await listening(f.ports), []);
  });

test('contradictions between variables are told with the rest', async (t) => {
  const f = await fixture(t);
  const { code, stderr } = await f.run(['config'], {
    JARVIS_HOST: '0.0.0.0',
    REACTOR_CORE_PORT: String(f.ports[0]),
    ROLLOUT_STEPS: '50,10',
  });
  assert.equal(code, EXIT_CONFIG);
  for (const told of [
    /JARVIS_HOST: .*JARVIS_API_TOKEN/,
    /REACTOR_CORE_PORT: .*have to differ/,
    /ROLLOUT_STEPS: /,
  ])
    assert.match(stderr, told);
});

test('a mistake in .env is one too', async (t) => {
  const f = await fixture(t);
  await writeFile(join(f.folder, '.env'), 'TRAINING_EPOCHS=many\n');
  const { code, stderr } = await f.run(['config']);
  assert.equal(code, EXIT_CONFIG);
  assert.match(stderr, /TRAINING_EPOCHS: .*\(it is "many"\)/);
});

test('every variable is shown with its value, where that came from, and its meaning; secrets are not', async (t) => {
  const f = await fixture(t);
  await writeFile(join(f.folder, '.env'), 'TRAINING_EPOCHS=7\nJARVIS_API_TOKEN=swordfish-swordfish\n');
  const shown = await f.run(['config', '--json'], { LOG_FILES_KEPT: '5' });
  assert.deepEqual([shown.code, shown.stderr], [0, '']);
  const entries = new Map((JSON.parse(shown.stdout) as ConfigEntry[]).map((entry) => [entry.name, entry]));
  assert.deepEqual([...entries.keys()].sort(), Object.keys(ENVIRONMENT).sort());
  const of = (name: ConfigEntry['name']) => [entries.get(name)?.value, entries.get(name)?.source];
  assert.deepEqual(of('TRAINING_EPOCHS'), [7, '.env']);
  assert.deepEqual(of('LOG_FILES_KEPT'), [5, 'environment']);
  assert.equal(entries.get('ROLLOUT_ALPHA')?.source, 'default');
  assert.doesNotMatch(shown.stdout, /swordfish/);

  const table = await f.run(['config']);
  for (const [name, { meaning }] of Object.entries(ENVIRONMENT)) {
    const line = table.stdout.split('\n').find((l) => l.startsWith(`${name} `));
    assert.ok(line?.endsWith(meaning), name);
  }
  assert.match(table.stdout, new RegExp(`^JARVIS_HOME +${f.home} +environment`, 'm'));
  assert.doesNotMatch(table.stdout, /swordfish/);
});
