// How often the judge rolls a healthy candidate back, and how quick it finds a worse one: over simulated rollouts, beside
// a fixed threshold, a z-test at every look, and Kayenta's Mann-Whitney.
//   npm run bench:rollouts [-- --rollouts N] [-- --seed N] [-- --threads N] [-- --save] [-- --json]
import { writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { OUTPUT_OPTIONS, tell } from '../shared/output.ts';
import { pictureOf, reportOf, type Share, shareOf } from './figures.ts';
import type { Verdict } from './ours.ts';
import { simulateInThreads } from './threads.ts';

const SESSIONS_SHOWN = 600;

const { values } = parseArgs({
  options: {
    rollouts: { type: 'string', default: '10000' },
    seed: { type: 'string', default: '1' },
    threads: { type: 'string', default: String(availableParallelism()) },
    ...OUTPUT_OPTIONS,
  },
});
const setting = { rollouts: Number(values.rollouts), seed: Number(values.seed) };
const simulated = await simulateInThreads(setting, Number(values.threads));

function sharesOf(verdicts: Readonly<Record<string, readonly Verdict[]>>): Readonly<Record<string, Share>> {
  return Object.fromEntries(Object.entries(verdicts).map(([name, list]) => [name, shareOf(list)]));
}
const figures = {
  rows: simulated.rows.map((row) => ({ ...row, verdicts: sharesOf(row.verdicts) })),
  pairs: simulated.pairs.map((row) => ({ ...row, verdicts: sharesOf(row.verdicts) })),
};
await tell({ name: 'rollouts', report: reportOf(simulated, setting), figures }, values);
const picture = new URL('../results/rollouts.svg', import.meta.url);
if (values.save) await writeFile(fileURLToPath(picture), pictureOf(simulated.rows, SESSIONS_SHOWN));
