// Rates of each round, their medians and ratios, and the table of them.
import { median } from '../shared/median.ts';
import { spreadInWords } from '../shared/ratios.ts';
import { type Setting, settingInWords } from '../shared/rounds.ts';

export const PARTS = {
  policy: 'one cycle of the pure policy; a sort of the same jobs',
  SQLite: 'life of a job on SQLite; the same commits, bare',
  Postgres: 'life of a job on Postgres; the same commits, bare',
} as const;
type Part = keyof typeof PARTS;

export interface Rate {
  readonly what: Part;
  /** Jobs in the queue. */
  readonly waiting: number;
  readonly round: number;
  /** Per second. */
  readonly ours: number;
  readonly bare: number;
}

export function reportOf(rates: readonly Rate[], setting: Setting): string {
  const sizes = [...new Set(rates.map((r) => r.waiting))].sort((a, b) => a - b);
  const lines = (Object.keys(PARTS) as Part[]).flatMap((what) =>
    sizes.flatMap((waiting) => {
      const of = rates.filter((r) => r.what === what && r.waiting === waiting);
      if (of.length === 0) return [];
      const cells = [
        PARTS[what],
        waiting.toLocaleString('en-US'),
        spreadInWords(of.map((r) => r.ours / r.bare)),
        perSecond(median(of.map((r) => r.ours))),
        perSecond(median(of.map((r) => r.bare))),
      ];
      return [`| ${cells.join(' | ')} |`];
    }),
  );
  return [
    '# Scheduling decisions',
    '',
    'Made by `npm run bench:decisions -- --save`. Per second, with so many jobs in the queue and one that trains. The policy decides over',
    'a snapshot in memory, beside the least that any scheduler does, a sort of the same jobs in the same order. The life of a',
    'job is submit, take slot, ask for memory, grant, start, training, completed: by the coordinator over the store of JARVIS Core, durable at',
    'each step, with the events of the job and the sentence for each that waits; beside it the same seven commits on the bare engine, which',
    'looks the next job up in an index. In turns within each round; what the ratio says holds better than the rates.',
    '',
    '| what | in the queue | ours / bare: median (least to greatest) | ours | bare |',
    '| --- | --- | --- | --- | --- |',
    ...lines,
    '',
    settingInWords(setting),
    '',
  ].join('\n');
}

function perSecond(value: number): string {
  const digits = value < 10 ? 2 : value < 100 ? 1 : 0;
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}
