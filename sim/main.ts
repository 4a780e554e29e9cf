// `npm run sim`: replays one seed and tells what happened, or runs many and counts.
//   npm run sim -- --seed 7 --hours 1 --trace        npm run sim -- --seeds 1000 [--from 1] [--hours 1]
import { parseArgs } from 'node:util';
import { simulate } from './src/simulate.ts';
import { Summary } from './src/summary.ts';

const HOURS = '1';
/** So many seeds have to take every edge that the present code has. */
const SEEDS_FOR_ALL_EDGES = 1_000;
const TOLD_EVERY_SEEDS = 100;

// Errors are messages here; where they were made is of no use, and costs time.
Error.stackTraceLimit = 0;

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string' },
    from: { type: 'string', default: '1' },
    hours: { type: 'string', default: HOURS },
    trace: { type: 'boolean', default: false },
  },
});
const write = (line: string): boolean => process.stdout.write(`${line}\n`);
const hours = Number(values.hours);
const first = Number(values.seed ?? values.from);
const last = values.seed === undefined ? first + Number(values.seeds ?? 100) - 1 : first;
const summary = new Summary();
const startedMs = performance.now();
for (let seed = first; seed <= last; seed += 1) {
  const outcome = await simulate({ seed, hours, ...(values.trace ? { print: write } : {}) });
  summary.add(outcome);
  const done = seed - first + 1;
  if (done % TOLD_EVERY_SEEDS === 0) process.stderr.write(`${done} of ${last - first + 1} seeds\n`);
  if (values.seed !== undefined) write(`seed ${seed}: trace hash ${outcome.hash}`);
  if (outcome.violation === null) continue;
  if (!values.trace) for (const line of outcome.lastLines) write(line);
  write(`seed ${seed} broke "${outcome.violation.invariant}": ${outcome.violation.what}`);
  write(`replay it with: npm run sim -- --seed ${seed} --hours ${hours} --trace`);
  process.exitCode = 1;
  break;
}
if (last - first + 1 >= SEEDS_FOR_ALL_EDGES && summary.missing.length > 0) {
  write(`edges that nothing took: ${summary.missing.join(', ')}`);
  process.exitCode = 1;
}
for (const line of summary.lines((performance.now() - startedMs) / 1000)) write(line);
