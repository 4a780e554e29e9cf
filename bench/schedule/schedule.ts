// How good the schedule is: the real policy in virtual time over random days, beside what no schedule can do better than,
// first come first served, and strict priority.
//   npm run bench:schedule [-- --days N] [-- --save] [-- --json]
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { NEGOTIATION_POLICIES } from '@jarvis/contracts';
import { OUTPUT_OPTIONS, tell } from '../shared/output.ts';
import { boundOfWeightedMs, leastTurnaroundMs } from './bounds.ts';
import { figuresOf, type Measured, pictureOf, tableOf, weightOf } from './figures.ts';
import { BUDGET_BYTES, LLM_BYTES, LOAD_MS, OTHERS_BYTES, ours, SHORTEST_OF_CLASS, START_MS } from './ours.ts';
import { FIRST_COME, type Outcome, plain, STRICT_PRIORITY } from './plain.ts';
import { type Day, dayOf } from './workload.ts';

const COSTS = { startMs: START_MS, loadMs: LOAD_MS, besideBytes: BUDGET_BYTES - OTHERS_BYTES - LLM_BYTES };
const SCHEDULERS: Readonly<Record<string, (day: Day) => Outcome>> = {
  'first come, first served': ({ trainings }) => plain(trainings, FIRST_COME, COSTS),
  'strict priority, no aging, no preemption': ({ trainings }) => plain(trainings, STRICT_PRIORITY, COSTS),
  ...Object.fromEntries(
    NEGOTIATION_POLICIES.map((policy) => [`ours, ${policy}`, (day: Day) => ours(day, { policy })]),
  ),
  ...Object.fromEntries(
    NEGOTIATION_POLICIES.map((policy) => [
      `experiment, ${policy}, shortest expected of a class`,
      (day: Day) => ours(day, { policy, reorder: SHORTEST_OF_CLASS }),
    ]),
  ),
};

const { values } = parseArgs({ options: { days: { type: 'string', default: '100' }, ...OUTPUT_OPTIONS } });
const seeds = Array.from({ length: Number(values.days) }, (_, i) => i + 1);
const worlds = { 'nobody asks the LLM': false, 'bursts of requests': true };

const measured = Object.entries(worlds).flatMap(([world, withBursts]) => {
  const days = seeds.map((seed) => dayOf(seed, { withBursts }));
  return Object.entries(SCHEDULERS).map(([scheduler, run]): Measured => ({
    world,
    scheduler,
    days: days.map((day) => ({
      figures: figuresOf(day, run(day)),
      leastMs: leastTurnaroundMs(day.trainings),
      boundMs: boundOfWeightedMs(day.trainings, weightOf),
    })),
  }));
});

const report = `# Quality of the schedule

\`npm run bench:schedule -- --days ${values.days} --save\`: ${values.days} random days of 60 trainings each, in virtual time; the same on every machine. One slot; ${BUDGET_BYTES / 1024 ** 3} GB, of which
the LLM takes ${LLM_BYTES / 1024 ** 3}, and the trainings of the lowest class need that it leaves. A training comes every 20 minutes; the slot is busy seven tenths of the time.

* **Clairvoyant** (mean): the shortest remaining work first, which knows every arrival and duration in advance. It is the true optimum of one slot
  whose trainings stop and go on for nothing, with memory and LLM left out: no schedule does better, and one that obeys memory may not get there.
* **Bound** (weighted 8, 4, 2, 1 by class): below the weighted optimum of the same slot, which is NP-hard to find (bench/schedule/bounds.ts).
* First come and strict priority send the LLM away at once for whoever needs its memory, whoever asks it something.
* The experiment is no part of the system: of one class, who is expected to take least comes first, where what is expected is off by up to a factor of two.

${tableOf(measured)}
![Ratios](schedule.svg)
`;
await tell({ name: 'schedule', report, figures: measured }, values);
const picture = new URL('../results/schedule.svg', import.meta.url);
if (values.save) await writeFile(fileURLToPath(picture), pictureOf(measured));
