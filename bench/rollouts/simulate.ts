// All rollouts, each seen by every judge.
import { seededRandom } from '@jarvis/testkit';
import { mannWhitney } from './mann-whitney.ts';
import { errorShareAlone, ours, type Verdict } from './ours.ts';
import { judgePairs, type PairVerdicts } from './pairs.ts';
import { windows, zTest } from './rivals.ts';
import { isMet, passingTraffic, placesOf, type Rates, stickyTraffic, type Traffic } from './traffic.ts';

const same = (rate: number): Rates => ({ stable: rate, candidate: rate });
export const RATES: readonly Rates[] = [
  ...[0.01, 0.02, 0.05, 0.1].map(same),
  { stable: 0.02, candidate: 0.06 },
  { stable: 0.02, candidate: 0.1 },
  { stable: 0.02, candidate: 0.2 },
  { stable: 0.01, candidate: 0.5 },
];
/** Sticky sessions; null: each request is a session of its own. */
export const SESSIONS = [12, 100, 600, null] as const;
export const LOSSES = [0.5, 0.6, 0.7, 0.8] as const;

export const JUDGES = {
  corrected: (traffic) => ours(traffic, 'corrected'),
  failed: (traffic) => ours(traffic, 'failed'),
  alone: errorShareAlone,
  windows,
  zTest,
  mannWhitney,
} as const satisfies Record<string, (traffic: Traffic) => Verdict>;
export type Judge = keyof typeof JUDGES;

/** Rollouts with the same sessions and rates, one verdict each. */
export interface Row {
  readonly rates: Rates;
  readonly sessions: number | null;
  /** Rollouts that nobody met: they hold in the first step, and have no verdict. */
  unmet: number;
  readonly verdicts: Readonly<Record<Judge, Verdict[]>>;
}

export interface PairRow {
  readonly losses: number;
  readonly verdicts: Readonly<Record<keyof PairVerdicts, Verdict[]>>;
}

export interface Simulated {
  readonly rows: readonly Row[];
  readonly pairs: readonly PairRow[];
}

export interface SimulateOptions {
  readonly rollouts: number;
  readonly seed: number;
  readonly rates?: readonly Rates[];
  readonly sessions?: readonly (number | null)[];
  readonly losses?: readonly number[];
}

/** Seeded: the same options give the same verdicts. Rows share the chance of each rollout, so that they compare. */
export function simulate(options: SimulateOptions): Simulated {
  const { rollouts, seed, rates = RATES, sessions = SESSIONS, losses = LOSSES } = options;
  const rows = sessions.flatMap((count) => rates.map((pair): Row => newRow(pair, count)));
  const pairs = losses.map((part): PairRow => ({
    losses: part,
    verdicts: { guard: [], alone: [], signTest: [], spoken: [], spokenUnweighed: [] },
  }));
  for (let rollout = seed; rollout < seed + rollouts; rollout += 1) {
    for (const count of sessions) {
      const places = count === null ? null : placesOf(rollout, count);
      for (const row of rows) if (row.sessions === count) judgeRow(row, places, rollout);
    }
    for (const row of pairs) judgePairRow(row, rollout);
  }
  return { rows, pairs };
}

function newRow(rates: Rates, sessions: number | null): Row {
  const verdicts = { corrected: [], failed: [], alone: [], windows: [], zTest: [], mannWhitney: [] };
  return { rates, sessions, unmet: 0, verdicts };
}

function judgeRow(row: Row, places: readonly number[] | null, rollout: number): void {
  if (places !== null && !isMet(places)) {
    row.unmet += 1;
    return;
  }
  const random = seededRandom(rollout);
  const traffic =
    places === null ? passingTraffic(row.rates, random) : stickyTraffic(places, row.rates, random);
  for (const [name, judge] of Object.entries(JUDGES) as [Judge, (typeof JUDGES)[Judge]][])
    row.verdicts[name].push(judge(traffic));
}

const PAIR_JUDGES = [
  'guard',
  'alone',
  'signTest',
  'spoken',
  'spokenUnweighed',
] as const satisfies readonly (keyof PairVerdicts)[];

function judgePairRow(row: PairRow, rollout: number): void {
  const verdicts = judgePairs(row.losses, seededRandom(rollout));
  for (const name of PAIR_JUDGES) row.verdicts[name].push(verdicts[name]);
}
