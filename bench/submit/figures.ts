// Medians and ratios of the rounds, where the time went, and the tables of it.
import { median } from '../shared/median.ts';
import { type Spread, spreadInWords, spreadOf } from '../shared/ratios.ts';

/** What has happened by when, in this order. */
export const MARKS = {
  answered: 'the job is stored, and the request answered',
  frozen: 'slot and memory given, the data set frozen',
  fetched: 'the start asked for, the data set fetched by Reactor Core',
  accepted: 'the run stored, the job file written',
  spawned: 'the job file synced, the trainer spawned',
  claimed: 'its program loaded, its run claimed',
  started: 'the trainer has read its data: the first line',
} as const;
export type Mark = keyof typeof MARKS;

export interface Round {
  /** Spawn to first line. */
  readonly bareMs: number;
  /** Request to first line. */
  readonly oursMs: number;
  /** Milliseconds since the request. */
  readonly marks: Readonly<Record<Mark, number>>;
}

export interface Summary {
  readonly rounds: number;
  readonly bare_ms: number;
  readonly ours_ms: number;
  readonly ratio: Spread;
  readonly ratio_in_words: string;
  /** Medians of what passed between each mark and the one before. */
  readonly steps: readonly { readonly mark: Mark; readonly ms: number }[];
}

export function summaryOf(rounds: readonly Round[]): Summary {
  const ratios = rounds.map((r) => r.oursMs / r.bareMs);
  const marks = Object.keys(MARKS) as Mark[];
  return {
    rounds: rounds.length,
    bare_ms: Math.round(median(rounds.map((r) => r.bareMs))),
    ours_ms: Math.round(median(rounds.map((r) => r.oursMs))),
    ratio: spreadOf(ratios),
    ratio_in_words: spreadInWords(ratios),
    steps: marks.map((mark, i) => {
      const before = marks[i - 1];
      const since = rounds.map(
        ({ marks: at }) => at[mark] - (before === undefined ? 0 : Math.max(0, at[before])),
      );
      return { mark, ms: Math.round(median(since)) };
    }),
  };
}

export function reportOf(summary: Summary, machine: string): string {
  return [
    '# From a submission to the first line of the trainer',
    '',
    'Made by `npm run bench:submit -- --save`. JARVIS Core and Reactor Core run, both on SQLite; a job of the built-in nlu trainer is asked for',
    'with `POST /api/jobs`, and the first line in its `events.ndjson` is waited for: it is written when the trainer has read its',
    'data. Beside it the same trainer command with the same job file, spawned by itself. In turns within each round.',
    '',
    `| ${summary.rounds} rounds, medians | ms |`,
    '| --- | --- |',
    `| ratio within a round, ours / bare: median (least to greatest) | ${summary.ratio_in_words} |`,
    `| bare: spawn to first line | ${summary.bare_ms} |`,
    `| ours: \`POST /api/jobs\` to first line | ${summary.ours_ms} |`,
    '',
    '| where ours goes, medians | ms |',
    '| --- | --- |',
    ...summary.steps.map(({ mark, ms }) => `| ${MARKS[mark]} | ${ms} |`),
    '',
    `Machine: ${machine}.`,
    '',
  ].join('\n');
}
