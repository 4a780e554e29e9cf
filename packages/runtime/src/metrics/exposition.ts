// What a meter holds as the text that Prometheus reads. prom-client is loaded with the first scrape: loading it costs as
// much time as a tenth of a start and some 20 MB, which a service that nobody scrapes does not have to pay.
import { type Metric, type MetricName, METRICS, type ServiceName } from '@jarvis/contracts';
import type { Counter, Gauge, Metric as PromMetric } from 'prom-client';
import type { Logger } from '../logger.ts';
import type { Distribution, Meter, Put, PutObserved, Reader, Series } from './meter.ts';

export interface Exposition {
  readonly contentType: string;
  readonly text: string;
}

export interface ExposeOptions {
  readonly service: ServiceName;
  readonly meter: Meter;
  readonly logger: Logger;
}

/** A registry of its own for each scrape: nothing is global, and a series that is over is not told of any more. */
export async function expose({ service, meter, logger }: ExposeOptions): Promise<Exposition> {
  const prom = await import('prom-client');
  const registry = new prom.Registry();
  const known = new Map<MetricName, Counter | Gauge>();
  const observed = new Map<MetricName, Series<Distribution>[]>();
  for (const [name, metric] of declaredFor(service)) {
    if (metric.type === 'histogram') {
      const series = (meter.observed().get(name) ?? []).map((one) => ({ ...one }));
      observed.set(name, series);
      registry.registerMetric(recorded(name, metric, series));
      continue;
    }
    const settings = { name, help: metric.help, labelNames: metric.labels, registers: [registry] };
    known.set(name, metric.type === 'counter' ? new prom.Counter(settings) : new prom.Gauge(settings));
  }
  const put: Put = (name, labels, value) => known.get(name)?.inc(labels, value);
  for (const [name, series] of meter.counted())
    for (const { labels, value } of series) known.get(name)?.inc(labels, value);
  const putObserved: PutObserved = (name, labels, value) => addTo(observed.get(name) ?? [], labels, value);
  const failed = await readAll(meter.readers, { put, putObserved }, logger);
  put('jarvis_metrics_readers_failed', {}, failed);
  return { contentType: registry.contentType, text: await registry.metrics() };
}

/** What is put under the same labels adds up, as with gauges. */
function addTo(
  all: Series<Distribution>[],
  labels: Series<Distribution>['labels'],
  more: Distribution,
): void {
  const same = all.find((series) => Object.entries(labels).every(([k, v]) => series.labels[k] === v));
  if (same === undefined) return void all.push({ labels, value: more });
  const counts = more.counts.map((count, i) => count + (same.value.counts[i] ?? 0));
  same.value = { counts, sum: same.value.sum + more.sum };
}

function declaredFor(service: ServiceName): [MetricName, Metric][] {
  return (Object.entries(METRICS) as [MetricName, Metric][]).filter(([, m]) => m.services.includes(service));
}

/** One that fails leaves the others to be read. */
async function readAll(
  readers: readonly Reader[],
  { put, putObserved }: { put: Put; putObserved: PutObserved },
  logger: Logger,
): Promise<number> {
  let failed = 0;
  for (const read of readers) {
    try {
      await read(put, putObserved);
    } catch (error) {
      failed += 1;
      logger.warn({ err: error }, 'some gauges could not be read for /metrics');
    }
  }
  return failed;
}

/** prom-client's own histogram only takes single observations; ours are counted already. */
function recorded(name: string, metric: Metric, all: readonly Series<Distribution>[]): PromMetric {
  const valuesOf = (): object[] =>
    all.flatMap(({ labels, value }) => {
      let cumulative = 0;
      const buckets = value.counts.map((count, i) => {
        cumulative += count;
        return {
          metricName: `${name}_bucket`,
          labels: { ...labels, le: metric.buckets[i] ?? '+Inf' },
          value: cumulative,
        };
      });
      return [
        ...buckets,
        { metricName: `${name}_sum`, labels, value: value.sum },
        { metricName: `${name}_count`, labels, value: cumulative },
      ];
    });
  const told = { name, help: metric.help, type: metric.type, aggregator: 'sum' };
  // Listed when the text is made: readers may add series until then.
  return { name, get: async () => ({ ...told, values: valuesOf() }) } as unknown as PromMetric;
}
