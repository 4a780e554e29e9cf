// `npm run proof:delivery`: hot swaps under load, sticky sessions, refused artifacts, kills at each state of a rollout, two
// J-Primes, two homes; on the whole system. Exit code 1 when anything did not hold.
//   [-- --swaps 200] [-- --killed-swaps 60] [-- --sessions 10000] [-- --parts swaps,sticky,...] [-- --save]
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { describeMachine } from '@jarvis/testkit';
import { type Found, reportOf } from './found.ts';
import { type Ground, makeGround } from './ground.ts';
import { servePair } from './pair.ts';
import { startPrime } from './prime-alone.ts';
import { refuse, refuseCached } from './refused.ts';
import { shareSessions } from './sticky.ts';
import { KILL_STATES, survive } from './survival.ts';
import { swapUnderLoad } from './swaps.ts';

const RESULT = fileURLToPath(new URL('../../bench/results/delivery.md', import.meta.url));
const PAIR_SESSIONS = 1_000;
const PARTS = ['swaps', 'sticky', 'refused', 'pair', 'survival'] as const;
/** Hot swaps may cost so much: p99 with them over p99 without. */
const RATIO_MAX = 1.5;

const { values } = parseArgs({
  options: {
    swaps: { type: 'string', default: '200' },
    'killed-swaps': { type: 'string', default: '60' },
    sessions: { type: 'string', default: '10000' },
    parts: { type: 'string', default: PARTS.join(',') },
    save: { type: 'boolean', default: false },
  },
});
const say = (line: string): void => void process.stderr.write(`${line}\n`);

async function swaps({ second: home, versions }: Ground, folder: string): Promise<Found[]> {
  const common = { home, folder, versions, say };
  const calm = await swapUnderLoad({ ...common, swaps: Number(values.swaps), kills: false, compares: true });
  const killed = await swapUnderLoad({
    ...common,
    swaps: Number(values['killed-swaps']),
    kills: true,
    compares: false,
  });
  const slow = calm.ratio !== null && calm.ratio > RATIO_MAX ? [`p99 ${calm.ratio.toFixed(2)} times`] : [];
  return [{ ...calm, problems: [...calm.problems, ...slow] }, killed];
}

async function sticky({ second: home, versions }: Ground): Promise<Found[]> {
  const [stable = '', candidate = '', newer = ''] = versions;
  return [await shareSessions({ home, stable, candidate, newer, sessions: Number(values.sessions), say })];
}

async function refused({ second: home, versions, trained, fresh, brittle }: Ground): Promise<Found[]> {
  const [flipped, short = null] = fresh;
  const [exported] = trained;
  const [stable = ''] = versions;
  if (flipped === undefined || exported === undefined) throw new Error('a version is missing');
  const cwd = join(home.system.home, '..');
  return [
    await refuse({ home, stable, flipped, short, brittle: brittle.second, say }),
    await refuseCached({
      home,
      stable: { version: stable, digest: exported.digest },
      startPrime: () => startPrime(cwd, home.environment),
    }),
  ];
}

async function pair({ second: home, versions }: Ground, folder: string): Promise<Found[]> {
  const [stable = '', candidate = ''] = versions;
  const options = { home, folder: join(folder, 'pair'), stable, candidate, sessions: PAIR_SESSIONS };
  return [await servePair({ ...options, away: true, say })];
}

async function survival({ first: home, trained, brittle }: Ground): Promise<Found[]> {
  const [stable = '', good = ''] = trained.map((t) => t.version);
  const found: Found[] = [];
  for (const killAt of KILL_STATES) {
    found.push(await survive({ home, stable, candidate: good, isBad: false, killAt, say }));
    // The gate of an imported one is over at once.
    if (killAt !== 'gating')
      found.push(await survive({ home, stable, candidate: brittle.first, isBad: true, killAt, say }));
  }
  const title = 'Everything killed at each state of a rollout';
  return [
    {
      title,
      rows: found.flatMap((f) => f.rows.map(([what, figure]) => [`${f.title}: ${what}`, figure] as const)),
      problems: found.flatMap((f) => f.problems.map((p) => `${f.title}: ${p}`)),
    },
  ];
}

const wanted = values.parts.split(',');
const unknown = wanted.filter((name) => !PARTS.some((part) => part === name));
if (unknown.length > 0) throw new Error(`there is no part ${unknown.join()}: --parts is of ${PARTS.join()}`);
const runs = { swaps, sticky, refused, pair, survival };
const folder = await mkdtemp(join(tmpdir(), 'jarvis-delivery-'));
const ground = await makeGround({ folder, served: 3, fresh: 2, say });
const found: Found[] = [ground.moved];
try {
  for (const name of PARTS.filter((p) => wanted.includes(p)))
    found.push(...(await runs[name](ground, folder)));
} finally {
  const problems = await ground.end();
  if (problems.length > 0) found.push({ title: 'The end', rows: [], problems });
}
const report = reportOf(found, describeMachine());
process.stdout.write(report);
if (values.save) await writeFile(RESULT, report);
if (found.some((f) => f.problems.length > 0)) {
  say(`${folder} is kept`);
  process.exitCode = 1;
} else await rm(folder, { recursive: true, force: true });
