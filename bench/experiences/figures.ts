// Rates of each round, their medians and ratios, and the table of them.
import type { Engine } from '../shared/bare-engine.ts';
import { median } from '../shared/median.ts';
import { spreadInWords } from '../shared/ratios.ts';
import { type Setting, settingInWords, whole } from '../shared/rounds.ts';

export interface Load {
  readonly callers: number;
  /** Experiences in one request. */
  readonly batch: number;
}

export const LOADS: readonly Load[] = [
  { callers: 1, batch: 1 },
  { callers: 16, batch: 1 },
  { callers: 1, batch: 100 },
  { callers: 1, batch: 1000 },
];

export interface Rate extends Load {
  readonly engine: Engine;
  readonly round: number;
  /** Experiences a second. */
  readonly ours: number;
  readonly bare: number;
}

export function reportOf(rates: readonly Rate[], setting: Setting): string {
  const lines = (['SQLite', 'Postgres'] as const).flatMap((engine) =>
    LOADS.flatMap((load) => {
      const of = rates.filter(
        (r) => r.engine === engine && r.callers === load.callers && r.batch === load.batch,
      );
      if (of.length === 0) return [];
      const cells = [
        engine,
        inWords(load),
        spreadInWords(of.map((r) => r.ours / r.bare)),
        whole(median(of.map((r) => r.ours))),
        whole(median(of.map((r) => r.bare))),
      ];
      return [`| ${cells.join(' | ')} |`];
    }),
  );
  return [
    '# Experiences',
    '',
    'Made by `npm run bench:experiences -- --save`. Experiences a second, durable when they are answered: `POST /api/experiences` to',
    'JARVIS Core, a process of its own, which checks them, names the batch, and counts them; beside it the same rows put into the bare engine (`node:sqlite`, `pg`)',
    'with the same columns and indexes, one commit a request, without HTTP and in the process of the bench. In turns within each round; what',
    'the ratio says holds better than the rates.',
    '',
    '| engine | requests | ours / bare: median (least to greatest) | ours | bare |',
    '| --- | --- | --- | --- | --- |',
    ...lines,
    '',
    settingInWords(setting),
    '',
  ].join('\n');
}

export function inWords({ callers, batch }: Load): string {
  const each = batch === 1 ? 'one each' : `${batch.toLocaleString('en-US')} each`;
  return `${each}, ${callers === 1 ? 'one caller' : `${callers} callers`}`;
}
