// Rates of each round, their medians and ratios, and the table of them.
import { median } from '../shared/median.ts';
import { spreadInWords } from '../shared/ratios.ts';
import { type Setting, settingInWords, whole } from '../shared/rounds.ts';
import type { Contender } from './contenders.ts';

export const TASKS = {
  claim: 'claim + complete, two commits each',
  single: 'insert, one row a commit',
  batched: 'insert, 500 rows a commit',
} as const;
export type Task = keyof typeof TASKS;

export interface Rate {
  readonly engine: Contender['engine'];
  readonly task: Task;
  readonly round: number;
  /** Per second. */
  readonly ours: number;
  readonly bare: number;
}

export function reportOf(rates: readonly Rate[], setting: Setting): string {
  const lines = (['SQLite', 'Postgres'] as const).flatMap((engine) =>
    (Object.keys(TASKS) as Task[]).flatMap((task) => {
      const of = rates.filter((r) => r.engine === engine && r.task === task);
      if (of.length === 0) return [];
      const ratios = of.map((r) => r.ours / r.bare);
      return [
        `| ${engine} | ${TASKS[task]} | ${whole(median(of.map((r) => r.ours)))} | ${whole(median(of.map((r) => r.bare)))} | ${spreadInWords(ratios)} |`,
      ];
    }),
  );
  return [
    '# The store on both engines',
    '',
    'Made by `npm run bench:store -- --save`. Per second, durable at each commit, one caller; the same statements through our store',
    'and through the bare engine (`node:sqlite`, `pg`), in turns within each round. What the ratio says holds better than',
    'the rates: what disturbs one of a pair often disturbs both.',
    '',
    '| engine | what | ours | bare | ours / bare: median (least to greatest) |',
    '| --- | --- | --- | --- | --- |',
    ...lines,
    '',
    settingInWords(setting),
    '',
  ].join('\n');
}
