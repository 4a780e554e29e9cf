// What a job of a model type needs, learned from what earlier ones took: a high quantile of their peaks, each grown to the
// rows of this job by the slope that they show (Theil 1950, Sen 1968: the median of the slopes between all pairs), and a
// margin. A training that ran out of memory under a limit tells only that it takes more than that.
import { inGb } from '@jarvis/contracts';

export type NeedOutcome = 'ended' | 'out_of_memory';

export interface NeedObservation {
  /** Rows of its data set. */
  readonly rows: number;
  /** The most that its processes held; of one that ran out, up to its limit. */
  readonly peakBytes: number;
  /** What it was given. */
  readonly limitBytes: number;
  readonly outcome: NeedOutcome;
}

export interface LearnedNeed {
  readonly bytes: number;
  /** Where `bytes` is a guess, because it ran out of memory: as little may do. Else the same. */
  readonly leastBytes: number;
  /** The evidence, for a person. */
  readonly why: string;
}

/** Fewer peaks than this have no slope worth speaking of. */
const SLOPE_OBSERVATIONS_MIN = 3;
const QUANTILE = 0.95;
/** Trainings of one kind differ a little from day to day. */
const MARGIN = 1.15;
/**
 * After one that ran out of memory the next is given so many times as much: a need that was told at half of what it is
 * suffices then, for trainings are stopped a tenth below their limit (2 / 0.9 = 2.2).
 */
const GROWTH = 2.5;
/** Or so many times as much, where no more can be had. */
const GROWTH_LEAST = 1.15;

/**
 * @param observations oldest first
 * @param rows of the job that asks; null while its data is not frozen yet
 * @returns null while nothing was observed
 */
export function learnNeed(observations: readonly NeedObservation[], rows: number | null): LearnedNeed | null {
  const ended = observations.filter((o) => o.outcome === 'ended');
  const seen = ended.length === 0 ? null : ofPeaks(ended, rows);
  const raised = raisedBy(observations);
  if (raised === null || (seen !== null && seen.bytes >= raised.bytes)) return seen;
  return raised;
}

export interface NeedOfJob {
  /** As it was asked for, or what its kind is given by default. */
  readonly bytes: number;
  /** Whoever asked for the job said so. */
  readonly given: boolean;
  /** Of its data; null while that is not frozen yet. */
  readonly rows: number | null;
}

/**
 * A job's need: its own setting; else what was learned of its kind; else the default. More, when it ran out itself: what
 * others of its kind got by with since says nothing about it.
 *
 * @param ofKind learned of its kind, for its rows
 * @param own its own attempts, oldest first
 */
export function needOf(
  { bytes, given, rows }: NeedOfJob,
  ofKind: LearnedNeed | null,
  own: readonly NeedObservation[],
): LearnedNeed {
  const told = given
    ? { bytes, leastBytes: bytes, why: 'as it was asked for' }
    : (ofKind ?? { bytes, leastBytes: bytes, why: 'nothing was learned yet' });
  const raised = learnNeed(
    own.filter((o) => o.outcome === 'out_of_memory'),
    rows,
  );
  return raised !== null && raised.bytes >= told.bytes ? raised : told;
}

function ofPeaks(ended: readonly NeedObservation[], rows: number | null): LearnedNeed {
  const slope = slopeOf(ended);
  const grown = ended.map((o) => o.peakBytes + slope * Math.max(0, (rows ?? o.rows) - o.rows));
  const high = quantile(grown, QUANTILE);
  const bytes = Math.ceil(high * MARGIN);
  const most = Math.max(...ended.map((o) => o.peakBytes));
  const growth = slope > 0 ? `, growing with the data` : '';
  const why = `learned: ${trainings(ended.length)} peaked at ${inGb(most)} at most${growth}; with a margin of ${Math.round((MARGIN - 1) * 100)} %`;
  return { bytes, leastBytes: bytes, why };
}

/** By those that ran out since the last one that ended under as much as they were given, or more. */
function raisedBy(observations: readonly NeedObservation[]): LearnedNeed | null {
  let limit = 0;
  let times = 0;
  for (const o of observations) {
    if (o.outcome === 'out_of_memory') {
      // Without a limit by the kernel it may have got beyond what it was given.
      limit = Math.max(limit, o.limitBytes, o.peakBytes);
      times += 1;
    } else if (o.limitBytes >= limit * GROWTH_LEAST) {
      limit = 0;
      times = 0;
    }
  }
  if (times === 0) return null;
  const why = `raised: ${trainings(times)} ran out of memory, at last under ${inGb(limit)}`;
  return { bytes: Math.ceil(limit * GROWTH), leastBytes: Math.ceil(limit * GROWTH_LEAST), why };
}

/** Bytes for each row, never below zero. */
function slopeOf(observations: readonly NeedObservation[]): number {
  if (observations.length < SLOPE_OBSERVATIONS_MIN) return 0;
  const slopes = observations.flatMap((a, i) =>
    observations
      .slice(i + 1)
      .filter((b) => b.rows !== a.rows)
      .map((b) => (b.peakBytes - a.peakBytes) / (b.rows - a.rows)),
  );
  return slopes.length === 0 ? 0 : Math.max(0, quantile(slopes, 0.5));
}

/** The smallest of the values that at least this share of them does not exceed. */
function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
}

function trainings(n: number): string {
  return n === 1 ? '1 training' : `${n} trainings`;
}
