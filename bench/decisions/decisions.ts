// Scheduling decisions a second with 10, 1,000 and 100,000 jobs in the queue: the pure policy beside a bare sort of the
// same jobs, and whole lives of jobs through the coordinator over JARVIS Core's store beside the same commits of the bare
// engine.
//   npm run bench:decisions [-- --rounds N] [-- --window-ms N] [-- --sizes 10,1000] [-- --save] [-- --json]
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { MIGRATIONS } from '@jarvis/jarvis-core';
import { orderQueue, schedule } from '@jarvis/policy';
import { openTestStore } from '@jarvis/testkit';
import { openBarePostgres, openBareSqlite } from '../shared/bare-engine.ts';
import { OUTPUT_OPTIONS, tell } from '../shared/output.ts';
import { type PostgresDatabases, withPostgres } from '../shared/postgres-databases.ts';
import { rateOf } from '../shared/rate.ts';
import { describeSurroundings } from '../shared/surroundings.ts';
import { type Rate, reportOf } from './figures.ts';
import { BARE_TABLES, bareLives, type Lives, ourLives } from './lives.ts';
import { snapshotOf } from './waiting-jobs.ts';

type Pair = readonly [() => Promise<number>, () => Promise<number>];

/** Both of a pair; who begins changes from round to round. */
async function inTurns([ours, bare]: Pair, round: number): Promise<{ ours: number; bare: number }> {
  if (round % 2 === 0) return { ours: await ours(), bare: await bare() };
  const first = await bare();
  return { ours: await ours(), bare: first };
}

async function runPure(sizes: readonly number[], rounds: number, windowMs: number): Promise<Rate[]> {
  const rates: Rate[] = [];
  for (let round = 0; round < rounds; round++)
    for (const waiting of sizes) {
      const snapshot = snapshotOf(waiting, Date.now());
      const { jobs, nowMs, options } = snapshot;
      const pair: Pair = [
        () => rateOf(windowMs, 1, () => void schedule(snapshot)),
        () => rateOf(windowMs, 1, () => void orderQueue(jobs, nowMs, options.agingMs)),
      ];
      rates.push(said({ what: 'policy', waiting, round, ...(await inTurns(pair, round)) }));
    }
  return rates;
}

type Make = (name: string, waiting: number) => Promise<readonly [Lives, Lives]>;

async function runLives(
  make: Make,
  sizes: readonly number[],
  { rounds, windowMs }: { rounds: number; windowMs: number },
): Promise<Rate[]> {
  const rates: Rate[] = [];
  for (let round = 0; round < rounds; round++)
    for (const waiting of sizes) {
      const [own, bare] = await make(`r${round}_${waiting}`, waiting);
      const timed = (lives: Lives) => (): Promise<number> => rateOf(windowMs, 1, () => lives.live());
      const both = await inTurns([timed(own), timed(bare)], round);
      rates.push(said({ what: own.engine, waiting, round, ...both }));
      await own.close();
      await bare.close();
    }
  return rates;
}

function said(rate: Rate): Rate {
  const { what, waiting, round, ours, bare } = rate;
  process.stderr.write(
    `round ${round} ${what}, ${waiting} waiting: ours ${ours.toFixed(1)}, bare ${bare.toFixed(1)}\n`,
  );
  return rate;
}

async function sqlitePair(folder: string, name: string, waiting: number): Promise<readonly [Lives, Lives]> {
  const place = { databaseUrl: null, schema: '', service: 'bench', migrations: MIGRATIONS };
  const db = await openTestStore({ ...place, file: join(folder, `${name}-ours.db`) });
  const bare = openBareSqlite(join(folder, `${name}-bare.db`), BARE_TABLES);
  return [await ourLives('SQLite', db, waiting), await bareLives(bare, waiting)];
}

async function postgresPair(
  databases: PostgresDatabases,
  name: string,
  waiting: number,
): Promise<readonly [Lives, Lives]> {
  const databaseUrl = await databases.make(`${name}_ours`);
  const place = { databaseUrl, schema: 'bench', file: '', service: 'bench', migrations: MIGRATIONS };
  const bare = await openBarePostgres(await databases.make(`${name}_bare`), BARE_TABLES);
  return [await ourLives('Postgres', await openTestStore(place), waiting), await bareLives(bare, waiting)];
}

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    'window-ms': { type: 'string', default: '2000' },
    sizes: { type: 'string', default: '10,1000,100000' },
    ...OUTPUT_OPTIONS,
  },
});
const rounds = Number(values.rounds);
const windowMs = Number(values['window-ms']);
const sizes = values.sizes.split(',').map(Number);
const machine = describeSurroundings();
const folder = await mkdtemp(join(tmpdir(), 'bench-decisions-'));
try {
  await withPostgres(async (databases) => {
    const rates = await runPure(sizes, rounds, windowMs);
    const setting = { rounds, windowMs };
    rates.push(...(await runLives((name, n) => sqlitePair(folder, name, n), sizes, setting)));
    if (databases !== null)
      rates.push(...(await runLives((name, n) => postgresPair(databases, name, n), sizes, setting)));
    const postgres = databases?.version ?? 'not measured';
    const report = reportOf(rates, { ...setting, machine, postgres });
    await tell({ name: 'decisions', report, figures: rates }, values);
  });
} finally {
  await rm(folder, { recursive: true, force: true });
}
