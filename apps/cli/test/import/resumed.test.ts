// An import that is stopped half way, by Ctrl-C and by the end of JARVIS Core.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { until } from '@jarvis/testkit';
import { fixture } from '../fixture.ts';
import { startCore } from '../core.ts';
import { endOf, statsOf } from './stored.ts';

const ROWS = 60_000;

function rows(): string {
  const row = (_: unknown, i: number): string =>
    `${JSON.stringify({ text: `say ${i}`, label: `l${i % 9}` })}\n`;
  return Array.from({ length: ROWS }, row).join('');
}

test('an import that is stopped, or whose JARVIS Core dies, goes on and stores nothing twice', async (t) => {
  const f = await fixture(t);
  const first = await startCore(t, f);
  await writeFile(join(f.folder, 'rows.jsonl'), rows());
  const command = ['experiences', 'import', 'rows.jsonl'];

  const stopped = f.start(command);
  await until('some to be stored', async () => (await statsOf(first)).total > 0);
  stopped.child.kill('SIGINT');
  const { code, stderr } = await stopped.ended;
  const { total } = await statsOf(first);
  assert.equal(code, 130, stderr);
  assert.ok(total < ROWS, 'between two batches, not at the end');
  const stored = total.toLocaleString('en-US');
  assert.match(stderr, new RegExp(`Stored so far: ${stored} experiences, up to rows\\.jsonl:${total}\\.`));

  const killed = f.start(command);
  await until('more to be stored', async () => (await statsOf(first)).total > total);
  await first.kill();
  const away = await killed.ended;
  assert.equal(away.code, 69, away.stderr);
  assert.match(away.stderr, /Stored so far: .*The same command again goes on/);
  assert.match(away.stderr, /JARVIS Core does not answer .*\n.*`jarvis up` starts it/);

  const second = await startCore(t, f);
  const rest = await f.run([...command, '--json']);
  assert.equal(rest.code, 0, rest.stderr);
  assert.equal((await statsOf(second)).total, ROWS);
  const { mapped, stored: now, repeated } = endOf(rest);
  assert.deepEqual([mapped, Number(now) + Number(repeated)], [ROWS, ROWS]);
  assert.ok(Number(repeated) > total);
});
