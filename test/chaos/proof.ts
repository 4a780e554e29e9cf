// `npm run proof:crashes`: a kill at every named step, hangs at some, replies that are lost, then kills at random moments
// over all processes, while jobs of all classes run and people use the assistant; then, in a system of its own, a kill at
// each step that only unusual people bring about. On SQLite, then on Postgres. Exit code 1 when anything did not hold.
//   [-- --engine SQLite|Postgres] [-- --kills 300] [-- --hangs 10] [-- --seed 1] [-- --no-failpoints]
//   [-- --patience SECONDS] [-- --steps core.job.end,core.job.preempt] [-- --save]
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { FailpointEntry } from '@jarvis/failpoints';
import { describeMachine, seededRandom } from '@jarvis/testkit';
import { type Engine, ENGINES, onEngine } from './engines.ts';
import { everyFailpoint, everyLostReply, isProvoked, someHangs } from './faults.ts';
import { type Ordeal, undergo } from './ordeal.ts';

const RESULTS = new URL('../../bench/results/', import.meta.url);

function reportOf(ordeal: Ordeal, of: number): string {
  const list = (counts: Readonly<Record<string, number>>): string =>
    Object.entries(counts)
      .map(([name, count]) => `${name} ${count}`)
      .join(', ');
  return [
    '| | |',
    '| --- | --- |',
    `| kills at named steps, hangs, lost replies | ${ordeal.fired} of ${of} |`,
    `| places that were never passed | ${ordeal.pending.join(', ') || 'none'} |`,
    `| kills at random | ${list(ordeal.kills)} |`,
    `| experiences taken on, all stored once | ${ordeal.experiences} |`,
    `| commands answered | ${ordeal.commands} |`,
    `| jobs | ${list(ordeal.jobs)} |`,
    `| attempts of runs, events read | ${ordeal.attempts}, ${ordeal.events} |`,
    `| looks at the live trainers, never more than one | ${ordeal.looks} |`,
    `| seconds | ${ordeal.seconds.toFixed(0)} |`,
    `| what did not hold | ${ordeal.broken.join('; ') || 'nothing'} |`,
    '',
  ].join('\n');
}

const { values } = parseArgs({
  options: {
    engine: { type: 'string', multiple: true, default: [...ENGINES] },
    kills: { type: 'string', default: '300' },
    hangs: { type: 'string', default: '10' },
    seed: { type: 'string', default: '1' },
    'no-failpoints': { type: 'boolean', default: false },
    /** Seconds in which no step of the plan is taken, until the rest of them is given up. */
    patience: { type: 'string', default: '420' },
    /** Only kills at these; nothing hangs, no reply is lost. */
    steps: { type: 'string' },
    save: { type: 'boolean', default: false },
  },
});
const seed = Number(values.seed);
const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort());
const failpoints = chooseFailpoints();

function chooseFailpoints(): readonly FailpointEntry[] {
  if (values['no-failpoints']) return [];
  const steps = values.steps?.split(',');
  if (steps !== undefined) return everyFailpoint().filter((e) => 'step' in e && steps.includes(e.step));
  const hangs = someHangs(seededRandom(seed + 2), Number(values.hangs));
  return [...everyFailpoint(), ...hangs, ...everyLostReply()];
}

const engines = values.engine.map((name): Engine => {
  const engine = ENGINES.find((e) => e.toLowerCase() === name.toLowerCase());
  if (engine === undefined) throw new Error(`--engine is one of ${ENGINES.join(', ')}`);
  return engine;
});

interface Part {
  readonly title: string;
  readonly unusual: boolean;
  readonly failpoints: readonly FailpointEntry[];
  readonly kills: number;
}

function partsOf(all: readonly FailpointEntry[]): Part[] {
  const of = (unusual: boolean): FailpointEntry[] => all.filter((entry) => isProvoked(entry) === unusual);
  const parts = [
    { title: 'Usual people', unusual: false, failpoints: of(false), kills: Number(values.kills) },
    { title: 'Unusual people', unusual: true, failpoints: of(true), kills: 0 },
  ];
  return parts.filter(({ failpoints: planned, kills }) => planned.length + kills > 0);
}

/** The section of the report; what did not hold leaves its home behind. */
async function prove(engine: Engine, part: Part): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'jarvis-crashes-'));
  const say = (line: string): void =>
    void process.stderr.write(`${engine}, ${part.title.toLowerCase()}: ${line}\n`);
  const ordeal = await onEngine(engine, (environment) =>
    undergo({
      ...part,
      folder,
      seed,
      quietLimitMs: Number(values.patience) * 1000,
      environment,
      signal: interrupted.signal,
      say,
    }),
  );
  if (ordeal.broken.length > 0) {
    say(`the home is kept: ${folder}`);
    process.exitCode = 1;
  } else await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  return `## ${part.title}\n\n${reportOf(ordeal, part.failpoints.length)}`;
}

try {
  for (const engine of engines) {
    const sections: string[] = [];
    for (const part of partsOf(failpoints)) sections.push(await prove(engine, part));
    const report = [
      `# Whatever dies, on ${engine}`,
      '',
      `Made by \`npm run proof:crashes -- --save\`, seed ${seed}. Machine: ${describeMachine()}.`,
      '',
      sections.join('\n'),
    ].join('\n');
    process.stdout.write(report);
    if (values.save)
      await writeFile(fileURLToPath(new URL(`crashes-${engine.toLowerCase()}.md`, RESULTS)), report);
  }
} catch (error) {
  if (!interrupted.signal.aborted) throw error;
  process.stderr.write('Ended early; what was started is gone.\n');
  process.exit(130);
}
