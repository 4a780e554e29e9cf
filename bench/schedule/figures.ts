// What the days came to: a table, and a picture of it.
import { type PriorityClass, PRIORITY_CLASSES } from '@jarvis/contracts';
import { spreadInWords } from '../shared/ratios.ts';
import type { Outcome } from './plain.ts';
import type { Burst, Day, Training } from './workload.ts';

/** Of a class, in the weighted mean. */
const WEIGHTS: Readonly<Record<PriorityClass, number>> = { critical: 8, high: 4, normal: 2, low: 1 };
const MINUTE_MS = 60_000;

export function weightOf({ priority }: Pick<Training, 'priority'>): number {
  return WEIGHTS[priority];
}

export interface Figures {
  readonly meanMs: number;
  readonly weightedMs: number;
  readonly ofClassMs: Readonly<Partial<Record<PriorityClass, number>>>;
  /** The LLM was not there. */
  readonly awayMs: number;
  /** And somebody asked it something. */
  readonly missedMs: number;
}

export function figuresOf({ trainings, bursts }: Day, { endsMs, away }: Outcome): Figures {
  const tookMs = (t: Training): number => (endsMs.get(t.jobId) ?? NaN) - t.arrivesMs;
  const mean = (list: readonly Training[], weight: (t: Training) => number): number =>
    list.reduce((sum, t) => sum + weight(t) * tookMs(t), 0) / list.reduce((sum, t) => sum + weight(t), 0);
  const ofClass = PRIORITY_CLASSES.map((c) => [
    c,
    mean(
      trainings.filter((t) => t.priority === c),
      () => 1,
    ),
  ]);
  return {
    meanMs: mean(trainings, () => 1),
    weightedMs: mean(trainings, weightOf),
    ofClassMs: Object.fromEntries(ofClass) as Figures['ofClassMs'],
    awayMs: away.reduce((sum, a) => sum + a.toMs - a.fromMs, 0),
    missedMs: away.reduce((sum, a) => sum + bursts.reduce((s, b) => s + overlapMs(a, b), 0), 0),
  };
}

function overlapMs(a: Burst, b: Burst): number {
  return Math.max(0, Math.min(a.toMs, b.toMs) - Math.max(a.fromMs, b.fromMs));
}

export interface Measured {
  readonly world: string;
  readonly scheduler: string;
  /** Of each day; each with what no schedule can do better than. */
  readonly days: readonly { readonly figures: Figures; readonly leastMs: number; readonly boundMs: number }[];
}

const minutes = (ms: number): string => (ms / MINUTE_MS).toFixed(1);
const meanOf = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0) / list.length;

function ratioOfMeans(days: Measured['days'], which: 'mean' | 'weighted'): number {
  const [ours, least] =
    which === 'mean'
      ? [days.map((d) => d.figures.meanMs), days.map((d) => d.leastMs)]
      : [days.map((d) => d.figures.weightedMs), days.map((d) => d.boundMs)];
  return meanOf(ours) / meanOf(least);
}

export function tableOf(all: readonly Measured[]): string {
  const head =
    '| world | scheduler | mean, min | / clairvoyant | of each day, median (least to greatest) | weighted, min | / bound | critical | high | normal | low | LLM away, min | while asked for, min |\n' +
    '| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n';
  const rows = all.map(({ world, scheduler, days }) => {
    const of = (f: (figures: Figures) => number): string =>
      minutes(meanOf(days.map((d) => f(d.figures)).filter((n) => !Number.isNaN(n))));
    const classes = PRIORITY_CLASSES.map((c) => of((f) => f.ofClassMs[c] ?? NaN));
    const cells = [
      world,
      scheduler,
      of((f) => f.meanMs),
      ratioOfMeans(days, 'mean').toFixed(2),
      spreadInWords(days.map((d) => d.figures.meanMs / d.leastMs)),
      of((f) => f.weightedMs),
      ratioOfMeans(days, 'weighted').toFixed(2),
      ...classes,
      of((f) => f.awayMs),
      of((f) => f.missedMs),
    ];
    return `| ${cells.join(' | ')} |\n`;
  });
  return head + rows.join('');
}

const BAR = { height: 16, gap: 6, left: 500, unit: 90, width: 1070 } as const;
const COLOURS = { mean: '#2a6f97', weighted: '#e07a5f' } as const;
const GOAL = 1.2;

/** Bars of the ratios; longer ones are cut off at the edge and say so by their number. */
export function pictureOf(all: readonly Measured[]): string {
  const rowHeight = 2 * BAR.height + BAR.gap;
  const height = 60 + all.length * (rowHeight + BAR.gap);
  const widest = (BAR.width - BAR.left - 60) / BAR.unit;
  const rows = all.map(({ world, scheduler, days }, i) => {
    const y = 50 + i * (rowHeight + BAR.gap);
    const bar = (which: 'mean' | 'weighted', at: number): string => {
      const ratio = ratioOfMeans(days, which);
      const width = Math.min(ratio, widest) * BAR.unit;
      const text = `<text x="${BAR.left + width + 5}" y="${at + 12}">${ratio.toFixed(2)}</text>`;
      return `<rect x="${BAR.left}" y="${at}" width="${width.toFixed(1)}" height="${BAR.height - 2}" fill="${COLOURS[which]}"/>${text}`;
    };
    const label = `<text x="${BAR.left - 8}" y="${y + BAR.height + 2}" text-anchor="end">${world}: ${scheduler}</text>`;
    return label + bar('mean', y) + bar('weighted', y + BAR.height);
  });
  const goal = BAR.left + GOAL * BAR.unit;
  const one = BAR.left + BAR.unit;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${BAR.width}" height="${height}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="white"/>
<text x="10" y="20" font-size="14">Turnaround of trainings, as a multiple of what no schedule can do better than</text>
<text x="10" y="38"><tspan fill="${COLOURS.mean}">mean</tspan> <tspan fill="${COLOURS.weighted}">weighted by class</tspan>; lines: 1, and the goal of ${GOAL}</text>
<line x1="${one}" x2="${one}" y1="45" y2="${height}" stroke="#999"/>
<line x1="${goal}" x2="${goal}" y1="45" y2="${height}" stroke="#999" stroke-dasharray="4 3"/>
${rows.join('\n')}
</svg>
`;
}
