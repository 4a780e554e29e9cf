// Requests a second and p99 of each contender, at each number of connections, and J-Prime's beside the others': ratios of
// each round by itself, for what disturbs one of a round often disturbs all of it.
import { median } from '../shared/median.ts';
import { spreadInWords } from '../shared/ratios.ts';
import { whole } from '../shared/rounds.ts';

export interface Sample {
  readonly contender: string;
  readonly connections: number;
  readonly round: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export interface Comparison {
  readonly ours: string;
  readonly other: string;
  readonly connections: number;
  /** Ours to the other's, one for each round. */
  readonly throughput: readonly number[];
  readonly p99: readonly number[];
}

export const BARE = 'bare Fastify';
export const CEILING = 'no model at all';

export function compare(samples: readonly Sample[], ours: string, other: string): Comparison[] {
  const connectionsOf = [...new Set(samples.map((sample) => sample.connections))];
  return connectionsOf.map((connections) => {
    const pairs = samples
      .filter((sample) => sample.contender === ours && sample.connections === connections)
      .flatMap((own) => {
        const same = (s: Sample): boolean => s.connections === connections && s.round === own.round;
        const theirs = samples.find((sample) => sample.contender === other && same(sample));
        return theirs === undefined ? [] : [{ own, theirs }];
      });
    return {
      ours,
      other,
      connections,
      throughput: pairs.map(({ own, theirs }) => own.perSecond / theirs.perSecond),
      p99: pairs.map(({ own, theirs }) => own.p99Ms / theirs.p99Ms),
    };
  });
}

function medians(samples: readonly Sample[]): string[] {
  const keys = new Map(samples.map((s) => [`${s.contender}\n${s.connections}`, s]));
  return [...keys.values()].map(({ contender, connections }) => {
    const of = samples.filter((s) => s.contender === contender && s.connections === connections);
    const [rate, p50, p99] = (['perSecond', 'p50Ms', 'p99Ms'] as const).map((key) =>
      median(of.map((sample) => sample[key])),
    );
    const ms = `${(p50 ?? 0).toFixed(2)} / ${(p99 ?? 0).toFixed(2)}`;
    return `| ${contender} | ${connections} | ${whole(rate ?? 0)} | ${ms} |`;
  });
}

export interface Setting {
  readonly rounds: number;
  readonly windowMs: number;
  readonly machine: string;
  /** Why a contender is missing. */
  readonly missing: readonly string[];
}

export function reportOf(
  samples: readonly Sample[],
  { rounds, windowMs, machine, missing }: Setting,
): string {
  const names = [...new Set(samples.map((sample) => sample.contender))];
  const ours = names.filter((name) => name.startsWith('J-Prime'));
  const others = names.filter((name) => !ours.includes(name) && name !== CEILING);
  const comparisons = ours.flatMap((own) => others.flatMap((other) => compare(samples, own, other)));
  return [
    '# Serving predictions',
    '',
    'Made by `npm run bench:serving -- --save`. One intent model (CLINC150, the built-in trainer), served by programs of their own on this machine; one client,',
    'undici in another process, asks each in turn within each round, over so many connections that are kept alive, the next request as soon as the last is answered.',
    `Beside J-Prime: a bare Fastify route around the same code and session, and MLServer and Ray Serve with the same ONNX file in ONNX Runtime for Python. Those two get their`,
    `texts encoded already, which J-Prime and the bare route do themselves. "${CEILING}" is the bare route without a model: about what the client can ask for.`,
    '',
    '| server | connections | requests a second | p50 / p99 in ms |',
    '| --- | --- | --- | --- |',
    ...medians(samples),
    '',
    'Ratios of each round, their median, least and greatest:',
    '',
    '| | connections | throughput, ours to theirs | p99, ours to theirs |',
    '| --- | --- | --- | --- |',
    ...comparisons.map(
      ({ ours: own, other, connections, throughput, p99 }) =>
        `| ${own} to ${other} | ${connections} | ${spreadInWords(throughput)} | ${spreadInWords(p99)} |`,
    ),
    '',
    ...missing.map((why) => `Not measured: ${why}.`),
    `${rounds} rounds of ${windowMs} ms for each. Machine: ${machine}.`,
    '',
  ].join('\n');
}
