// A day of one machine, from a seed: trainings of the four classes that arrive, and bursts of requests to the LLM.
import { BYTES_PER_GB, type ModelType, type PriorityClass } from '@jarvis/contracts';
import { seededRandom } from '@jarvis/testkit';

const MINUTE_MS = 60_000;
const GB = BYTES_PER_GB;

export interface Training {
  readonly jobId: string;
  readonly modelType: ModelType;
  readonly priority: PriorityClass;
  readonly arrivesMs: number;
  /** Of training, without interruption. */
  readonly workMs: number;
  /** What somebody who knows earlier trainings of its kind would expect: off by up to a factor of two. */
  readonly expectedMs: number;
  readonly needBytes: number;
}

export interface Burst {
  readonly fromMs: number;
  readonly toMs: number;
}

export interface Day {
  readonly trainings: readonly Training[];
  readonly bursts: readonly Burst[];
}

interface Kind extends Pick<Training, 'modelType' | 'priority'> {
  readonly share: number;
  readonly meanMs: number;
  readonly needBytes: number;
}

/** The last needs the LLM's memory; the others fit beside it. */
const KINDS: readonly Kind[] = [
  { modelType: 'voice', priority: 'critical', share: 0.3, meanMs: 2 * MINUTE_MS, needBytes: 2 * GB },
  { modelType: 'nlu', priority: 'high', share: 0.3, meanMs: 5 * MINUTE_MS, needBytes: 4 * GB },
  { modelType: 'vision', priority: 'normal', share: 0.25, meanMs: 20 * MINUTE_MS, needBytes: 12 * GB },
  { modelType: 'llm', priority: 'low', share: 0.15, meanMs: 45 * MINUTE_MS, needBytes: 40 * GB },
];
const TRAININGS = 60;
/** Seven tenths of the time somebody trains. */
const ARRIVAL_EVERY_MS = 20 * MINUTE_MS;
const BURST_EVERY_MS = 30 * MINUTE_MS;
const BURST_MEAN_MS = 5 * MINUTE_MS;

export function dayOf(seed: number, { withBursts }: { readonly withBursts: boolean }): Day {
  const random = seededRandom(seed);
  const wait = (meanMs: number): number => -Math.log(1 - random.unit()) * meanMs;
  const factor = (): number => 2 ** (2 * random.unit() - 1);
  let nowMs = 0;
  const trainings = Array.from({ length: TRAININGS }, (_, i): Training => {
    nowMs += wait(ARRIVAL_EVERY_MS);
    const { modelType, priority, meanMs, needBytes } = kindAt(random.unit());
    const workMs = meanMs * factor();
    const expectedMs = workMs * factor();
    const jobId = `j${String(i).padStart(3, '0')}`;
    return { jobId, modelType, priority, arrivesMs: nowMs, workMs, expectedMs, needBytes };
  });
  const endMs = withBursts ? nowMs : 0;
  const bursts: Burst[] = [];
  for (let at = wait(BURST_EVERY_MS); at < endMs; at += wait(BURST_EVERY_MS)) {
    const fromMs = at;
    at += wait(BURST_MEAN_MS);
    bursts.push({ fromMs, toMs: at });
  }
  return { trainings, bursts };
}

function kindAt(unit: number): Kind {
  let left = unit;
  for (const kind of KINDS) {
    left -= kind.share;
    if (left < 0) return kind;
  }
  throw new Error('the shares of the kinds come to one');
}
