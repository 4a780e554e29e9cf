// What a look at the memory of process trees costs: `readTrees` beside reading the same files raw, in turns within each
// round, with so many children to be measured.
import { type ChildProcess, spawn } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { readTrees } from '@jarvis/process';
import { end, untilLine } from '../shared/children.ts';
import { OUTPUT_OPTIONS, tell } from '../shared/output.ts';
import { describeSurroundings } from '../shared/surroundings.ts';
import { type Look, reportOf } from './figures.ts';

const SIZES = [10, 100] as const;
const CHILD = `console.log('ready'); setInterval(() => {}, 1 << 30)`;
/** Of each measured process, what `readTrees` reads of it beside its line in the process table. */
const FILES = ['smaps_rollup', 'status'] as const;

/** The same files, all at once and nothing made of them. */
async function readRaw(pids: readonly number[]): Promise<void> {
  const all = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  await Promise.all(all.map((pid) => readFile(`/proc/${pid}/stat`, 'latin1').catch(() => null)));
  await Promise.all(
    pids.flatMap((pid) => FILES.map((name) => readFile(`/proc/${pid}/${name}`, 'latin1').catch(() => null))),
  );
}

async function timed(work: () => Promise<unknown>): Promise<{ ms: number; cpuMs: number }> {
  const cpu = process.cpuUsage();
  const from = performance.now();
  await work();
  const ms = performance.now() - from;
  const { user, system } = process.cpuUsage(cpu);
  return { ms, cpuMs: (user + system) / 1000 };
}

async function measure(size: number, rounds: number): Promise<Look[]> {
  const children: ChildProcess[] = [];
  try {
    for (let i = 0; i < size; i++)
      children.push(spawn(process.execPath, ['-e', CHILD], { stdio: ['ignore', 'pipe', 'inherit'] }));
    await Promise.all(children.map((child) => untilLine(child, (line) => line === 'ready')));
    const pids = children.map((child) => child.pid ?? 0);
    const looks: Look[] = [];
    // The first round compiles; it is left out.
    for (let round = -1; round < rounds; round++) {
      const raw = await timed(() => readRaw(pids));
      const ours = await timed(() => readTrees(pids));
      const processes = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).length;
      if (round >= 0) looks.push({ size, processes, raw, ours });
    }
    return looks;
  } finally {
    await Promise.all(children.map(end));
  }
}

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '30' },
    ...OUTPUT_OPTIONS,
  },
});
const machine = describeSurroundings();
const looks: Look[] = [];
for (const size of SIZES) looks.push(...(await measure(size, Number(values.rounds))));
await tell({ name: 'measuring', report: reportOf(looks, machine), figures: looks }, values);
