// What a newcomer types first: help, a version, mistakes.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { fixture } from './fixture.ts';

const COMMANDS = [
  'migrate',
  'up',
  'down',
  'status',
  'doctor',
  'config',
  'experiences',
  'lock',
  'logs',
  'train',
  'models',
  'rollouts',
  'pause',
  'resume',
  'demo',
];

test('help lists the commands, and each has help with an example', async (t) => {
  const f = await fixture(t);
  const { code, stdout, stderr } = await f.run(['--help']);
  assert.deepEqual([code, stderr], [0, '']);
  const listed = [...stdout.matchAll(/^ {2}(\w+)(?: .*)? {2,}\S/gm)].map((match) => match[1]);
  assert.deepEqual(new Set(listed), new Set([...COMMANDS, 'help']));
  for (const command of COMMANDS) {
    const help = await f.run([command, '--help']);
    assert.deepEqual([help.code, help.stderr], [0, ''], command);
    assert.match(help.stdout, new RegExp(`\\$ (.* )?jarvis ${command}`), command);
  }
});

test('the commands and options that the README shows are there', async (t) => {
  const f = await fixture(t);
  const readme = await readFile(new URL('../../../README.md', import.meta.url), 'utf8');
  const shown = [...readme.matchAll(/(?:npx jarvis|npm run) (\w+)([^\n`#]*)/g)].filter(
    ([, name = '']) => COMMANDS.includes(name) || !['start', 'test', 'check'].includes(name),
  );
  assert.ok(shown.length >= 5, 'the README shows the commands');
  for (const [line, command = '', rest = ''] of shown) {
    const { stdout } = await f.run([command, '--help']);
    for (const [option] of rest.matchAll(/(?<=\s)--?[a-z]+/g))
      assert.match(stdout, new RegExp(`${option}\\b`), line);
  }
});

test('without a command the help is shown, and it is a failure', async (t) => {
  const f = await fixture(t);
  const { code, stdout, stderr } = await f.run([]);
  assert.deepEqual([code, stdout], [1, '']);
  assert.match(stderr, /Usage: jarvis/);
});

test('the version', async (t) => {
  const f = await fixture(t);
  const { code, stdout } = await f.run(['--version']);
  assert.equal(code, 0);
  assert.match(stdout, /^\d+\.\d+\.\d+\n$/);
});

const MISTAKES: readonly { readonly args: readonly string[]; readonly told: readonly RegExp[] }[] = [
  { args: ['sttaus'], told: [/unknown command 'sttaus'/, /status/, /jarvis --help/] },
  { args: ['up', 'now'], told: [/too many arguments for 'up'/, /jarvis up --help/] },
  { args: ['status', '--colour'], told: [/unknown option '--colour'/, /jarvis status --help/] },
  { args: ['train'], told: [/missing required argument 'kind'/] },
  { args: ['train', 'smell'], told: [/'smell' is invalid/, /voice, nlu, vision, embedding, llm/] },
  { args: ['train', 'nlu', '--epochs', '0'], told: [/'0' is invalid/, /a whole number from 1/] },
  { args: ['train', 'nlu', '--epochs', '1e9'], told: [/a whole number from 1 to/] },
  { args: ['logs', 'jarvis'], told: [/'jarvis' is invalid/, /supervisor, jarvis-core/] },
  { args: ['logs', '-n', 'all'], told: [/'all' is invalid/, /a whole number from 0/] },
  { args: ['logs', '--grep', '['], told: [/no regular expression/] },
  { args: ['experiences', 'import'], told: [/missing required argument 'file'/] },
  {
    args: ['experiences', 'import', 'a', '--forms', '0'],
    told: [/a whole number from 1/, /jarvis experiences import --help/],
  },
  { args: ['demo', '--seed', '-1'], told: [/a whole number from 0/] },
];

for (const { args, told } of MISTAKES)
  test(`a mistake is named, with where to look: jarvis ${args.join(' ')}`, async (t) => {
    const f = await fixture(t);
    const { code, stdout, stderr } = await f.run(args);
    assert.deepEqual([code, stdout], [1, '']);
    for (const pattern of told) assert.match(stderr, pattern);
    assert.doesNotMatch(stderr, /\n\s+at /, 'no trace');
  });
