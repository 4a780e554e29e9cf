// How long `npm start` takes until it says `3/3 operational`, beside three bare Node + Fastify processes started one after
// the other in the same round; and what the four processes hold when nothing is to do.
//   npm run bench:startup [-- --rounds N] [-- --save] [-- --json]
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { freePorts } from '@jarvis/testkit';
import { end, untilLine } from '../shared/children.ts';
import { OUTPUT_OPTIONS, tell } from '../shared/output.ts';
import { describeSurroundings } from '../shared/surroundings.ts';
import { type Memory, type Round, reportOf, summaryOf } from './figures.ts';

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));
const BARE = fileURLToPath(new URL('../shared/bare-fastify.ts', import.meta.url));
const BARE_PROCESSES = 3;
/** Garbage of the start is collected by then, and the trainer of the baseline is gone. */
const SETTLE_MS = 8_000;
const SERVICES = ['jarvis-core', 'j-prime', 'reactor-core'] as const;

async function startBare(): Promise<number> {
  let total = 0;
  const children: ChildProcess[] = [];
  try {
    for (let i = 0; i < BARE_PROCESSES; i++) {
      const child = spawn(process.execPath, [BARE], { stdio: ['ignore', 'pipe', 'inherit'] });
      children.push(child);
      total += await untilLine(child, (line) => line === 'ready');
    }
    return total;
  } finally {
    await Promise.all(children.map(end));
  }
}

async function startOurs(home: string): Promise<{ child: ChildProcess; ms: number; ports: number[] }> {
  const ports = await freePorts(SERVICES.length);
  const [core, prime, reactor] = ports.map(String);
  const child = spawn('npm', ['start', '--silent'], {
    cwd: REPOSITORY,
    env: {
      ...process.env,
      JARVIS_HOME: home,
      JARVIS_PORT: core,
      JARVIS_PRIME_PORT: prime,
      REACTOR_CORE_PORT: reactor,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return { child, ms: await untilLine(child, (line) => line.includes('3/3 operational')), ports };
}

/** npm does not wait for what it started. */
async function stopOurs(home: string): Promise<void> {
  const child = spawn('npx', ['jarvis', 'down'], {
    cwd: REPOSITORY,
    env: { ...process.env, JARVIS_HOME: home },
    stdio: 'ignore',
  });
  await once(child, 'exit');
}

async function memoryOf(home: string, ports: readonly number[]): Promise<Memory[]> {
  const record = JSON.parse(await readFile(join(home, 'supervisor.json'), 'utf8')) as { pid: number };
  const pids: [string, number][] = [['supervisor', record.pid]];
  for (const [i, name] of SERVICES.entries()) {
    const response = await fetch(`http://127.0.0.1:${ports[i]}/health`);
    pids.push([name, ((await response.json()) as { pid: number }).pid]);
  }
  return Promise.all(
    pids.map(async ([name, pid]) => {
      const rollup = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8');
      const kb = (field: string): number => Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(rollup)?.[1]);
      return { name, pss_mb: kb('Pss') / 1024, anonymous_mb: kb('Pss_Anon') / 1024 };
    }),
  );
}

async function measure(rounds: number): Promise<{ rounds: Round[]; memory: Memory[] }> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-startup-'));
  const measured: Round[] = [];
  let memory: Memory[] = [];
  try {
    // The first start makes the home, compiles, and trains the baseline; it is told apart.
    for (let i = 0; i <= rounds; i++) {
      const bareMs = await startBare();
      const { child, ms, ports } = await startOurs(folder);
      measured.push({ bareMs, oursMs: ms, first: i === 0 });
      process.stderr.write(`round ${i}: bare ${bareMs.toFixed(0)} ms, ours ${ms.toFixed(0)} ms\n`);
      if (i === rounds) {
        await new Promise((done) => setTimeout(done, SETTLE_MS));
        memory = await memoryOf(folder, ports);
      }
      await stopOurs(folder);
      await end(child);
    }
    return { rounds: measured, memory };
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '10' },
    ...OUTPUT_OPTIONS,
  },
});
const machine = describeSurroundings();
const figures = await measure(Number(values.rounds));
const summary = summaryOf(figures.rounds, figures.memory);
await tell({ name: 'startup', report: reportOf(summary, machine), figures: summary }, values);
