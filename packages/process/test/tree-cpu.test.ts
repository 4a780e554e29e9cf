import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test } from 'node:test';
import { afterwards, until } from '@jarvis/testkit';
import { readTreesCpuMs } from '../src/index.ts';
import { parseTicks } from '../src/tree-cpu.ts';
import { statLine } from './machine.ts';

const onLinux = { skip: process.platform !== 'linux' && 'reads /proc' };

test(
  'time on processors rises while a process works, and stands still while it waits',
  onLinux,
  async (t) => {
    const start = (program: string): number => {
      const child = spawn(process.execPath, ['-e', program]);
      afterwards(t, () => child.kill('SIGKILL'));
      return child.pid ?? 0;
    };
    const works = start('for (;;);');
    const waits = start('setInterval(() => {}, 1e6)');
    await until('half a second of work', async () => ((await readTreesCpuMs([works])) ?? 0) > 500);
    let before = -1;
    await until('the other to wait', async () => {
      const now = await readTreesCpuMs([waits]);
      const still = now !== null && now > 0 && now === before;
      before = now ?? -1;
      return still;
    });
    assert.equal(await readTreesCpuMs([]), 0);
  },
);

test('the name may hold spaces and parentheses', () => {
  const fields = statLine(7, 1, 7, 'a (strange) name').split(' ');
  assert.ok(Number.isFinite(parseTicks(fields.join(' '))));
  assert.equal(parseTicks(`7 (a ) b) R 1 7 7 0 -1 0 0 0 0 0 120 30 0 0 20 0 1 0 5 0 0`), 150);
});
