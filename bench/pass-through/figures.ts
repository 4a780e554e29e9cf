// What passing on costs: percentiles of single requests, and of the gaps between streamed tokens, ours beside the bare server's.
import { median } from '../shared/median.ts';

export const KINDS = {
  request: 'a request of one small answer',
  first: 'a stream: to its first token',
  token: 'a stream: from token to token',
} as const;
export type Kind = keyof typeof KINDS;

/** Milliseconds of each; the same number on both sides. */
export interface Sample {
  readonly kind: Kind;
  readonly round: number;
  readonly ours: readonly number[];
  readonly bare: readonly number[];
}

interface Row {
  readonly kind: Kind;
  readonly ours: Percentiles;
  readonly bare: Percentiles;
  readonly over: Percentiles;
}

interface Percentiles {
  readonly p50: number;
  readonly p95: number;
}

export function percentilesOf(values: readonly number[]): Percentiles {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
  return { p50: at(0.5), p95: at(0.95) };
}

/** Medians of the rounds; what is over is worked out in each round by itself. */
export function rowsOf(samples: readonly Sample[]): Row[] {
  return (Object.keys(KINDS) as Kind[]).map((kind) => {
    const rounds = samples
      .filter((sample) => sample.kind === kind)
      .map(({ ours, bare }) => ({ ours: percentilesOf(ours), bare: percentilesOf(bare) }));
    const middle = (of: (round: (typeof rounds)[number]) => number): number => median(rounds.map(of));
    return {
      kind,
      ours: { p50: middle((r) => r.ours.p50), p95: middle((r) => r.ours.p95) },
      bare: { p50: middle((r) => r.bare.p50), p95: middle((r) => r.bare.p95) },
      over: { p50: middle((r) => r.ours.p50 - r.bare.p50), p95: middle((r) => r.ours.p95 - r.bare.p95) },
    };
  });
}

export function reportOf(samples: readonly Sample[], setting: { rounds: number; machine: string }): string {
  const cells = ({ p50, p95 }: Percentiles): string => `${p50.toFixed(2)} / ${p95.toFixed(2)}`;
  return [
    '# Passing requests on to the LLM server',
    '',
    'Made by `npm run bench:pass-through -- --save`. A small server in the manner of OpenAI runs as a process of its own, J-Prime as another;',
    'one client asks the same of both, in turns within each round, over connections that are kept alive. Percentiles of each round, medians over the rounds.',
    '',
    '| p50 / p95 in ms | through J-Prime | the server itself | over |',
    '| --- | --- | --- | --- |',
    ...rowsOf(samples).map(
      ({ kind, ours, bare, over }) => `| ${KINDS[kind]} | ${cells(ours)} | ${cells(bare)} | ${cells(over)} |`,
    ),
    '',
    `${setting.rounds} rounds. Machine: ${setting.machine}.`,
    '',
  ].join('\n');
}
