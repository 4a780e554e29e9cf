// Experiences a second through HTTP, singly and in batches, durable, on both engines, beside the bare engine in the same run.
//   npm run bench:experiences [-- --rounds N] [-- --window-ms N] [-- --save] [-- --json]
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openBarePostgres, openBareSqlite } from '../shared/bare-engine.ts';
import { OUTPUT_OPTIONS, tell } from '../shared/output.ts';
import { withPostgres } from '../shared/postgres-databases.ts';
import { startService } from '../shared/service.ts';
import { describeSurroundings } from '../shared/surroundings.ts';
import { bare, BARE_TABLES, type Contender, ours } from './contenders.ts';
import { inWords, type Load, LOADS, type Rate, reportOf } from './figures.ts';

const CALLERS_MAX = Math.max(...LOADS.map((load) => load.callers));

/** Nothing but experiences: no other service, no trigger, no seeds. */
const ALONE = {
  JARVIS_PRIME_ENABLED: 'false',
  REACTOR_CORE_ENABLED: 'false',
  TRAINING_AUTO_TRIGGER_ENABLED: 'false',
  TRAINING_BASELINE_ENABLED: 'false',
};

/** Each caller asks again when it is answered, until the window is over; what is answered after it counts, and so does its time. */
async function measure(contender: Contender, { callers, batch }: Load, windowMs: number): Promise<number> {
  const from = performance.now();
  let stored = 0;
  const call = async (): Promise<void> => {
    do {
      await contender.store(batch);
      stored += batch;
    } while (performance.now() - from < windowMs);
  };
  await Promise.all(Array.from({ length: callers }, call));
  return (stored * 1000) / (performance.now() - from);
}

type Pair = readonly [Contender, Contender];

/** Each pair in turns, who begins changes from round to round. */
async function runRound([own, engine]: Pair, round: number, windowMs: number): Promise<Rate[]> {
  const rates: Rate[] = [];
  for (const load of LOADS) {
    const rate = { ours: 0, bare: 0 };
    for (const contender of round % 2 === 0 ? [own, engine] : [engine, own])
      rate[contender.who] = await measure(contender, load, windowMs);
    rates.push({ engine: own.engine, round, ...load, ...rate });
    process.stderr.write(
      `round ${round} ${own.engine}, ${inWords(load)}: ours ${rate.ours.toFixed(0)}, bare ${rate.bare.toFixed(0)}\n`,
    );
  }
  return rates;
}

async function runRounds(make: (name: string) => Promise<Pair>, setting: Setting): Promise<Rate[]> {
  const rates: Rate[] = [];
  for (let round = 0; round < setting.rounds; round++) {
    const pair = await make(`r${round}`);
    try {
      rates.push(...(await runRound(pair, round, setting.windowMs)));
    } finally {
      for (const contender of pair) await contender.close();
    }
  }
  return rates;
}

interface Setting {
  readonly rounds: number;
  readonly windowMs: number;
}

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '6' },
    'window-ms': { type: 'string', default: '2000' },
    ...OUTPUT_OPTIONS,
  },
});
const setting: Setting = { rounds: Number(values.rounds), windowMs: Number(values['window-ms']) };
const machine = describeSurroundings();
const folder = await mkdtemp(join(tmpdir(), 'bench-experiences-'));
const core = (name: string, databaseUrl: string): ReturnType<typeof startService> =>
  startService('jarvis-core', { ...ALONE, JARVIS_HOME: join(folder, name), DATABASE_URL: databaseUrl });
try {
  await withPostgres(async (databases) => {
    const rates = await runRounds(
      async (name) => [
        ours('SQLite', await core(`${name}-sqlite`, ''), CALLERS_MAX),
        bare(openBareSqlite(join(folder, `${name}-bare.db`), BARE_TABLES)),
      ],
      setting,
    );
    if (databases !== null)
      rates.push(
        ...(await runRounds(
          async (name) => [
            ours(
              'Postgres',
              await core(`${name}-postgres`, await databases.make(`${name}_ours`)),
              CALLERS_MAX,
            ),
            bare(await openBarePostgres(await databases.make(`${name}_bare`), BARE_TABLES)),
          ],
          setting,
        )),
      );
    const postgres = databases?.version ?? 'not measured';
    const report = reportOf(rates, { ...setting, machine, postgres });
    await tell({ name: 'experiences', report, figures: rates }, values);
  });
} finally {
  await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
}
