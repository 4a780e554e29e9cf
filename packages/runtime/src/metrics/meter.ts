// What a service counts, as plain numbers: nothing is loaded, formatted or timed by a clock of its own until somebody
// scrapes. Gauges are not kept at all, but read when they are asked for.
//
//   count, observe -> series (numbers)  \
//   readers (bounded queries)            > GET /metrics: exposition.ts
import { type LabelsOf, type MetricName, type MetricNameOf, METRICS } from '@jarvis/contracts';

/** Labels are bounded by design; should they not be, what comes after these is counted under one series called "other". */
const SERIES_PER_METRIC_MAX = 1_000;
const OTHER = 'other';

/** Counts of a histogram: one for each bucket, not cumulative, and one for what is beyond the last. */
export interface Distribution {
  readonly counts: number[];
  sum: number;
}

export interface Series<V> {
  readonly labels: Readonly<Record<string, string>>;
  value: V;
}

/** Where a reader puts what it has read; what is put under the same labels adds up. */
export type Put = <N extends MetricNameOf<'gauge' | 'counter'>>(
  name: N,
  labels: LabelsOf<N>,
  value: number,
) => void;

/** As `Put`, of what was observed already. */
export type PutObserved = <N extends MetricNameOf<'histogram'>>(
  name: N,
  labels: LabelsOf<N>,
  value: Distribution,
) => void;

/** Reads gauges at a scrape, with bounded work. */
export type Reader = (put: Put, putObserved: PutObserved) => void | Promise<void>;

export class Meter {
  readonly #counters = new Map<MetricName, Map<string, Series<number>>>();
  readonly #distributions = new Map<MetricName, Map<string, Series<Distribution>>>();
  readonly #readers: Reader[] = [];

  count<N extends MetricNameOf<'counter'>>(name: N, labels: LabelsOf<N>, by: number = 1): void {
    seriesOf(this.#counters, name, labels, () => 0).value += by;
  }

  observe<N extends MetricNameOf<'histogram'>>(name: N, labels: LabelsOf<N>, seconds: number): void {
    noteIn(seriesOf(this.#distributions, name, labels, () => newDistribution(name)).value, name, seconds);
  }

  /** Called at each scrape. */
  read(reader: Reader): void {
    this.#readers.push(reader);
  }

  get readers(): readonly Reader[] {
    return this.#readers;
  }

  counted(): ReadonlyMap<MetricName, readonly Series<number>[]> {
    return listed(this.#counters);
  }

  observed(): ReadonlyMap<MetricName, readonly Series<Distribution>[]> {
    return listed(this.#distributions);
  }
}

/** Kept by whoever reads it out at a scrape: of what may go, with its series. */
export function newDistribution(name: MetricNameOf<'histogram'>): Distribution {
  return { counts: Array.from({ length: METRICS[name].buckets.length + 1 }, () => 0), sum: 0 };
}

export function noteIn(distribution: Distribution, name: MetricNameOf<'histogram'>, value: number): void {
  const { buckets } = METRICS[name];
  const at = buckets.findIndex((bound) => value <= bound);
  const bucket = at < 0 ? buckets.length : at;
  distribution.counts[bucket] = (distribution.counts[bucket] ?? 0) + 1;
  distribution.sum += value;
}

function seriesOf<V>(
  all: Map<MetricName, Map<string, Series<V>>>,
  name: MetricName,
  labels: Readonly<Record<string, string>>,
  start: () => V,
): Series<V> {
  let ofMetric = all.get(name);
  if (ofMetric === undefined) all.set(name, (ofMetric = new Map()));
  const key = keyOf(name, labels);
  const known = ofMetric.get(key);
  if (known !== undefined) return known;
  if (ofMetric.size < SERIES_PER_METRIC_MAX) return added(ofMetric, key, { labels, value: start() });
  const rest = Object.fromEntries(METRICS[name].labels.map((label) => [label, OTHER]));
  const keyOfRest = keyOf(name, rest);
  return ofMetric.get(keyOfRest) ?? added(ofMetric, keyOfRest, { labels: rest, value: start() });
}

function keyOf(name: MetricName, labels: Readonly<Record<string, string>>): string {
  return METRICS[name].labels.map((label) => labels[label]).join('\n');
}

function added<V>(to: Map<string, Series<V>>, key: string, series: Series<V>): Series<V> {
  to.set(key, series);
  return series;
}

function listed<V>(
  all: ReadonlyMap<MetricName, ReadonlyMap<string, Series<V>>>,
): Map<MetricName, Series<V>[]> {
  return new Map([...all].map(([name, series]) => [name, [...series.values()]]));
}
