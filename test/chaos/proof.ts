// `npm run proof:crashes`: a kill at every named step, then kills at random moments over all processes, while jobs of all
// classes run and people use the assistant. Exit code 1 when anything did not hold.
//   [-- --kills 300] [-- --seed 1] [-- --no-failpoints] [-- --limit SECONDS] [-- --save]
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { describeMachine } from '@jarvis/testkit';
import { everyFailpoint, RARE_STEPS } from './faults.ts';
import { type Ordeal, undergo } from './ordeal.ts';

const RESULT = fileURLToPath(new URL('../../bench/results/crashes.md', import.meta.url));

function reportOf(engine: string, ordeal: Ordeal, of: number): string {
  const list = (counts: Readonly<Record<string, number>>): string =>
    Object.entries(counts)
      .map(([name, count]) => `${name} ${count}`)
      .join(', ');
  return [
    `## ${engine}`,
    '',
    '| | |',
    '| --- | --- |',
    `| steps at which a process was killed | ${ordeal.fired} of ${of} |`,
    `| steps that were never reached | ${ordeal.pending.join(', ') || 'none'} |`,
    `| steps left out (${RARE_STEPS.size}) | ${[...RARE_STEPS].join(', ')} |`,
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
    kills: { type: 'string', default: '300' },
    seed: { type: 'string', default: '1' },
    'no-failpoints': { type: 'boolean', default: false },
    limit: { type: 'string', default: '900' },
    save: { type: 'boolean', default: false },
  },
});
const folder = await mkdtemp(join(tmpdir(), 'jarvis-crashes-'));
const failpoints = values['no-failpoints'] ? [] : everyFailpoint();
const ordeal = await undergo({
  folder,
  seed: Number(values.seed),
  failpoints,
  kills: Number(values.kills),
  planLimitMs: Number(values.limit) * 1000,
  say: (line) => void process.stderr.write(`${line}\n`),
});
const machine = describeMachine();
const report = [
  '# Whatever dies',
  '',
  `Made by \`npm run proof:crashes -- --save\`, seed ${values.seed}. Machine: ${machine}.`,
  '',
  reportOf('SQLite', ordeal, failpoints.length),
].join('\n');
process.stdout.write(report);
if (values.save) await writeFile(RESULT, report);
if (ordeal.broken.length > 0) {
  process.stderr.write(`The home is kept: ${folder}\n`);
  process.exitCode = 1;
} else await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
