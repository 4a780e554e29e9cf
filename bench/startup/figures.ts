// Medians and ratios of the rounds, and the table of them.
import { median } from '../shared/median.ts';
import { type Spread, spreadOf } from '../shared/ratios.ts';

export interface Round {
  readonly bareMs: number;
  readonly oursMs: number;
  /** The start that makes the home. */
  readonly first: boolean;
}

export interface Memory {
  readonly name: string;
  /** Proportional set size: shared pages are divided among those who share them. */
  readonly pss_mb: number;
  /** Of that, what is not backed by a file. */
  readonly anonymous_mb: number;
}

export interface Summary {
  readonly rounds: number;
  readonly bare_ms: number;
  readonly ours_ms: number;
  /** Median, least and greatest of each round's own ratio: what disturbs one of a pair often disturbs both. */
  readonly ratio: Spread;
  readonly first_start_ms: number;
  readonly memory: readonly Memory[];
}

export function summaryOf(rounds: readonly Round[], memory: readonly Memory[]): Summary {
  const again = rounds.filter((r) => !r.first);
  const ratios = again.map((r) => r.oursMs / r.bareMs);
  return {
    rounds: again.length,
    bare_ms: Math.round(median(again.map((r) => r.bareMs))),
    ours_ms: Math.round(median(again.map((r) => r.oursMs))),
    ratio: spreadOf(ratios),
    first_start_ms: Math.round(rounds.find((r) => r.first)?.oursMs ?? 0),
    memory: memory.map((m) => ({
      name: m.name,
      pss_mb: Math.round(m.pss_mb),
      anonymous_mb: Math.round(m.anonymous_mb),
    })),
  };
}

export function reportOf(summary: Summary, machine: string): string {
  const { rounds, bare_ms, ours_ms, ratio, first_start_ms, memory } = summary;
  const total = (of: (m: Memory) => number): number => memory.reduce((sum, m) => sum + of(m), 0);
  return [
    '# Start and idle memory',
    '',
    'Made by `npm run bench:startup -- --save`.',
    '',
    `| ${rounds} rounds, medians | ms |`,
    '| --- | --- |',
    `| three bare Node + Fastify processes, one after the other | ${bare_ms} |`,
    `| \`npm start\` to \`3/3 operational\` | ${ours_ms} |`,
    `| ratio within a round: median (least to greatest) | ${ratio.median} (${ratio.least} to ${ratio.greatest}) |`,
    `| the very first start: makes the home, compiles everything | ${first_start_ms} |`,
    '',
    '| idle, 8 s after the start | proportional set size, MB | of that not backed by files, MB |',
    '| --- | --- | --- |',
    ...memory.map((m) => `| ${m.name} | ${m.pss_mb} | ${m.anonymous_mb} |`),
    `| all four | ${total((m) => m.pss_mb)} | ${total((m) => m.anonymous_mb)} |`,
    '',
    `Machine: ${machine}.`,
    '',
  ].join('\n');
}
