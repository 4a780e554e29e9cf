// What came of each demo, held against what a demo has to reach, and the table of all of them.
/** Of the demo's --json, what is looked at here. */
interface Summary {
  readonly accuracy: { readonly before: number; readonly first: number; readonly second: number };
  readonly rollouts: readonly {
    readonly version: string;
    readonly verdict: string;
    readonly steps: readonly { readonly percent: number; readonly requests: number }[];
  }[];
  readonly experiences: { readonly sent: number; readonly stored: number };
  readonly seconds: { readonly total: number };
}

export interface Outcome {
  readonly part: string;
  readonly healthy: boolean;
  readonly seed: number;
  /** Why it ended badly; empty when its exit code was 0. */
  readonly trouble: string;
  readonly summary: Summary | null;
}

const FIRST_GAIN_MIN = 0.1;
const SECOND_GAIN_MIN = 0.02;

/** What this demo misses, in sentences; empty when nothing. */
export function shortfalls({ healthy, trouble, summary }: Outcome): string[] {
  const found = trouble === '' ? [] : [trouble];
  if (summary === null) return found;
  const { before, first, second } = summary.accuracy;
  if (first - before < FIRST_GAIN_MIN)
    found.push(`the first version is ${points(first - before)} points better than the baseline, not 10`);
  if (second - first < SECOND_GAIN_MIN)
    found.push(`the second version is ${points(second - first)} points better than the first, not 2`);
  const last = summary.rollouts.at(-1)?.verdict;
  if (last !== (healthy ? 'promoted' : 'rolled_back')) found.push(`the third version was ${last}`);
  return found;
}

export function reportOf(outcomes: readonly Outcome[], machine: string): string {
  const parts = Map.groupBy(outcomes, (o) => o.part);
  const tables = [...parts].map(([part, list]) => `## ${part}\n\n${tableOf(list)}`);
  return [
    '# The demo over many seeds',
    '',
    'Made by `npm run proof:demo -- --save`. Accuracy on held-out commands in percent, gains in points; the third version is',
    'trained on mixed-up labels and has to be rolled back, or on right ones and must not be.',
    `Machine: ${machine}.`,
    '',
    ...tables,
    '',
  ].join('\n');
}

function tableOf(outcomes: readonly Outcome[]): string {
  const rows = outcomes.map(rowOf);
  const missed = outcomes.filter((o) => shortfalls(o).length > 0).length;
  const gains = outcomes.flatMap((o) => (o.summary === null ? [] : [gainsOf(o.summary)]));
  const least = (of: (g: (typeof gains)[number]) => number): string => points(Math.min(...gains.map(of)));
  return [
    '| seed | baseline | first | gain | second | gain | third version | at | its requests | s |',
    '| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |',
    ...rows,
    '',
    `Least gains: ${least((g) => g.first)} and ${least((g) => g.second)} points. As it should: ${outcomes.length - missed} of ${outcomes.length}.`,
    '',
  ].join('\n');
}

function rowOf({ seed, summary, trouble }: Outcome): string {
  if (summary === null) return `| ${seed} | ${trouble.split('\n').at(-1)} | | | | | | | | |`;
  const { accuracy, rollouts, seconds } = summary;
  const gains = gainsOf(summary);
  const last = rollouts.at(-1);
  const step = last?.steps.at(-1);
  const seen = last?.steps.reduce((sum, s) => sum + s.requests, 0) ?? 0;
  const cells = [
    seed,
    points(accuracy.before),
    points(accuracy.first),
    points(gains.first),
    points(accuracy.second),
    points(gains.second),
    last?.verdict.replace('_', ' ') ?? 'none',
    `${step?.percent ?? 0} %`,
    seen,
    seconds.total.toFixed(0),
  ];
  return `| ${cells.join(' | ')} |`;
}

function gainsOf({ accuracy }: Summary): { first: number; second: number } {
  return { first: accuracy.first - accuracy.before, second: accuracy.second - accuracy.first };
}

function points(part: number): string {
  return (part * 100).toFixed(1);
}
