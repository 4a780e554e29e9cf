// What the rollouts came to: tables, and a picture.
import { ALPHA, FAILURE_LIMIT, type Verdict } from './ours.ts';
import { PAIRS_MAX } from './pairs.ts';
import { type Judge, type PairRow, type Row, type Simulated } from './simulate.ts';
import { type Rates, STEP_REQUESTS, STEPS } from './traffic.ts';

export interface Share {
  /** Of rollouts that were rolled back. */
  readonly share: number;
  /** Of those: the middle of the requests, or pairs, until then; null where there is none. */
  readonly median: number | null;
}

export function shareOf(verdicts: readonly Verdict[]): Share {
  const detected = verdicts.filter((v) => v !== null).toSorted((a, b) => a - b);
  const median = detected[Math.floor(detected.length / 2)] ?? null;
  return { share: verdicts.length === 0 ? 0 : detected.length / verdicts.length, median };
}

const SHOWN: readonly (readonly [Judge, string, string])[] = [
  ['corrected', 'ours, corrections', '#1b4965'],
  ['failed', 'ours, failures', '#5fa8d3'],
  ['windows', '3 of 20 windows under 95 %', '#e07a5f'],
  ['zTest', 'z-test at every look', '#f2cc8f'],
  ['mannWhitney', 'Mann-Whitney as Kayenta', '#81b29a'],
];

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;

function inWords({ share, median }: Share): string {
  return median === null ? percent(share) : `${percent(share)} (${median})`;
}

function ratesInWords({ stable, candidate }: Rates): string {
  const [from, to] = [`${stable * 100} %`, `${candidate * 100} %`];
  return stable === candidate ? `equal, ${from}` : `${from} -> ${to}`;
}

function sessionsInWords(sessions: number | null): string {
  return sessions === null ? 'each request its own' : `${sessions}`;
}

/** Failures beyond the absolute limit are rolled back rightly, whatever the stable version does. */
function isFalse(row: Row, judge: Judge): boolean {
  const { stable, candidate } = row.rates;
  return stable === candidate && (judge !== 'failed' || candidate <= FAILURE_LIMIT);
}

export function tableOf(rows: readonly Row[]): string {
  const names = SHOWN.map(([, name]) => name);
  const head = `| true error rates | sessions | ${names.join(' | ')} |\n${'| --- '.repeat(names.length + 2)}|\n`;
  const lines = rows.map((row) => {
    const cells = SHOWN.map(([judge]) => {
      const rightly = row.rates.stable === row.rates.candidate && !isFalse(row, judge);
      return inWords(shareOf(row.verdicts[judge])) + (rightly ? ' *' : '');
    });
    return `| ${[ratesInWords(row.rates), sessionsInWords(row.sessions), ...cells].join(' | ')} |\n`;
  });
  return head + lines.join('');
}

/** To be reached by Guard 1 with all of alpha, each request a session of its own, in 4 steps of about 100. */
const GOALS: readonly (Rates & { readonly share: number; readonly median: number | null })[] = [
  { stable: 0.02, candidate: 0.06, share: 0.75, median: null },
  { stable: 0.02, candidate: 0.1, share: 0.998, median: 50 },
  { stable: 0.02, candidate: 0.2, share: 1, median: 17 },
  { stable: 0.01, candidate: 0.5, share: 1, median: 6 },
];
const PAIR_GOALS: Readonly<Record<number, number>> = { 0.7: 37, 0.8: 17 };

export function goalsTableOf(rows: readonly Row[]): string {
  const head =
    '| true error rates | goal | Guard 1, all of alpha, each request its own session | and with its part of alpha, 5 sessions at least | Guard 1, all of alpha, 600 sessions |\n' +
    '| --- | --- | --- | --- | --- |\n';
  const find = (rates: Rates, sessions: number | null): Row | undefined =>
    rows.find(
      (r) =>
        r.sessions === sessions && r.rates.stable === rates.stable && r.rates.candidate === rates.candidate,
    );
  const rates = rows.filter((r) => r.sessions === null).map((r) => r.rates);
  const lines = rates.map((pair) => {
    const own = find(pair, null);
    const goal = GOALS.find((g) => g.stable === pair.stable && g.candidate === pair.candidate);
    const cells = [
      ratesInWords(pair),
      goal === undefined ? `at most ${percent(ALPHA)}` : inWords(goal),
      inWords(shareOf(own?.verdicts.alone ?? [])),
      inWords(shareOf(own?.verdicts.corrected ?? [])),
      inWords(shareOf(find(pair, 600)?.verdicts.alone ?? [])),
    ];
    return `| ${cells.join(' | ')} |\n`;
  });
  return head + lines.join('');
}

export function pairsTableOf(rows: readonly PairRow[]): string {
  const head =
    '| candidate loses | goal, median | Guard 2, all of alpha | Guard 2, its part of alpha | sign test at every look | wrong answers spoken of at 75 %: Guard 2 | as if asked |\n' +
    '| --- | --- | --- | --- | --- | --- | --- |\n';
  const lines = rows.map(({ losses, verdicts }) => {
    const goal = losses === 0.5 ? `at most ${percent(ALPHA)}` : (PAIR_GOALS[losses] ?? '');
    const cells = [`${losses * 100} %`, goal];
    const { alone, guard, signTest, spoken, spokenUnweighed } = verdicts;
    const shares = [alone, guard, signTest, spoken, spokenUnweighed].map((v) => inWords(shareOf(v)));
    return `| ${[...cells, ...shares].join(' | ')} |\n`;
  });
  return head + lines.join('');
}

/** Each place where ours rolls more healthy candidates back than alpha allows. */
export function excessOf(rows: readonly Row[]): string[] {
  return rows.flatMap((row) =>
    (['corrected', 'failed'] as const)
      .filter((judge) => isFalse(row, judge) && shareOf(row.verdicts[judge]).share > ALPHA)
      .map(
        (judge) =>
          `${judge}, ${ratesInWords(row.rates)}, ${sessionsInWords(row.sessions)} sessions: ${percent(shareOf(row.verdicts[judge]).share)}`,
      ),
  );
}

export interface Setting {
  readonly rollouts: number;
  readonly seed: number;
}

export function reportOf({ rows, pairs }: Simulated, { rollouts, seed }: Setting): string {
  const excess = excessOf(rows);
  const unmet = new Map(rows.map((row) => [row.sessions, row.unmet]));
  const unmetInWords = [...unmet]
    .filter(([, count]) => count > 0)
    .map(([sessions, count]) => `${count} of those with ${sessions} sessions`);
  return `# How often the judge is wrong, and how quick it is right

\`npm run bench:rollouts -- --rollouts ${rollouts} --seed ${seed} --save\`: ${rollouts} simulated rollouts for each row, judged by the code that Reactor Core runs; the same on every machine.
Steps of ${STEPS.join(', ')} % with ${STEP_REQUESTS} candidate requests each, alpha ${ALPHA} over all guards, failure limit ${FAILURE_LIMIT * 100} %. Sticky sessions are assigned by the hash, ask at random, and differ in how often
they err: Beta(1, 1/mean - 1), so most hardly ever and some often. A candidate that is no worse errs for each session just as often as the stable version.
An error is a correction (Guard 1 sees it), or a failed request (Guard 1 and Guard 3 see it). All judges watch the same requests.

Rolled back over the whole rollout, and in brackets the median of candidate requests until then. *: rightly, since the failures are over the limit.
Rollouts that no session meets at ${STEPS[0]} % hold there, and are left out: ${unmetInWords.join(', ') || 'there were none'}.

${tableOf(rows)}
False rollbacks of ours over ${ALPHA * 100} %: ${excess.length === 0 ? 'none' : excess.join('; ')}.

![Rolled back, 600 sessions](rollouts.svg)

${NOTES}
## Beside what is to be reached

${goalsTableOf(rows)}
## Paired accuracy

The two versions answer the same inputs; of pairs where one of them is right the candidate loses so many. Detected within ${PAIRS_MAX} such pairs, and the median of pairs until then.
The last two columns: nobody is asked, and only wrong answers are told of, while 75 % meet the candidate. Taken as if they had been asked for, such pairs
accuse a candidate that is as good, since three of four wrong answers that anybody sees are its own.

${pairsTableOf(pairs)}`;
}

const NOTES = `## Why it is as it is

* **Ours is slower than Guard 1 could be alone** (next table), and on purpose: it shares alpha with the other guards, so its evidence has to reach 50 and not 20;
  it waits for 5 sessions with an error; and it counts each session once in a rollout, because errors of one session are not independent.
  With hundreds of sessions that costs little. With 100 it costs most of a small rise: who errs often soon has, and says no more.
* **With 12 sessions corrections hardly tell anything**: one or two of them meet the candidate. Failures do, by their limit. What tells is the paired
  comparison, below: behind the answer the other version is asked the same, so that every session's inputs count for both.
* **Failures at the very limit, 12 sessions**: Guard 3 counts every failure, and holds its alpha for whoever is served, not for all sessions together. Where the one session
  that meets the candidate is of those that fail more often than the limit, with either version, the candidate goes back though it is no worse. It takes rates near the limit: over 1,500
  rollouts each, 12 sessions at 4 %: 5.0 %, at 3 %: 2.2 %; 30 sessions at 5 %: 5.9 %; 50 sessions at 5 %: 3.1 %.
* **A fixed threshold** knows no stable version: it aborts what is as it always was. It is the surest where the candidate is really worse, for the same reason.
* **The z-test** is valid once, and is looked at hundreds of times.
* **Mann-Whitney** looks seldom and asks for more than a shift, so it seldom is wrong with many sessions; it takes points of one session for independent, and so errs with 12; it overlooks
  small rises whose points are mostly ties at 0, and needs whole intervals.
`;

const BAR = { height: 13, gap: 16, left: 110, full: 560, width: 800, top: 84 } as const;

/** Bars of the shares that were rolled back, of those with so many sessions. */
export function pictureOf(rows: readonly Row[], sessions: number): string {
  const shown = rows.filter((row) => row.sessions === sessions);
  const groupHeight = SHOWN.length * BAR.height + BAR.gap;
  const height = BAR.top + shown.length * groupHeight;
  const groups = shown.map((row, i) => {
    const y = BAR.top + i * groupHeight;
    const middle = y + (SHOWN.length * BAR.height) / 2 + 4;
    const label = `<text x="${BAR.left - 8}" y="${middle}" text-anchor="end">${ratesInWords(row.rates)}</text>`;
    return label + SHOWN.map(([judge], j) => barOf(row, judge, y + j * BAR.height)).join('');
  });
  const alpha = BAR.left + ALPHA * BAR.full;
  const legend = SHOWN.map(
    ([, name, colour], i) =>
      `<text x="${10 + (i % 3) * 230}" y="${40 + Math.floor(i / 3) * 18}" fill="${colour}">&#9632; <tspan fill="black">${name}</tspan></text>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${BAR.width}" height="${height}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="white"/>
<text x="10" y="20" font-size="14">Rolled back, ${sessions} sessions; in brackets candidate requests until then; dashed: ${ALPHA * 100} %</text>
${legend.join('\n')}
<line x1="${alpha}" x2="${alpha}" y1="${BAR.top - 8}" y2="${height}" stroke="#999" stroke-dasharray="4 3"/>
${groups.join('\n')}
</svg>
`;
}

function barOf(row: Row, judge: Judge, y: number): string {
  const seen = shareOf(row.verdicts[judge]);
  const colour = SHOWN.find(([name]) => name === judge)?.[2] ?? 'black';
  const width = seen.share * BAR.full;
  const rightly = row.rates.stable === row.rates.candidate && !isFalse(row, judge) ? ', rightly' : '';
  return (
    `<rect x="${BAR.left}" y="${y}" width="${width.toFixed(1)}" height="${BAR.height - 2}" fill="${colour}"/>` +
    `<text x="${(BAR.left + width + 4).toFixed(1)}" y="${y + BAR.height - 3}" font-size="10">${inWords(seen)}${rightly}</text>`
  );
}
