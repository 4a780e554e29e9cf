// The offline gate: before any traffic the candidate meets the champion on the held-out newest corrections. They are
// looked at once, so a fixed-sample test is right here: the exact one-sided sign test on the rows where just one of
// the two is correct. It stops a candidate that is clearly worse, and lets one that may be as good go on to traffic.
import { invariant } from '@jarvis/contracts';
import { fairUpperTail } from './binomial.ts';

const GATE_ALPHA = 0.05;

export interface GateCounts {
  readonly rows: number;
  readonly candidateCorrect: number;
  readonly championCorrect: number;
  /** Rows that only the candidate answered correctly. */
  readonly candidateOnly: number;
  /** Rows that only the champion answered correctly. */
  readonly championOnly: number;
}

export interface GateDecision {
  readonly pass: boolean;
  /** Chance of so many losses or more among the rows where they differ, if both were equally good. */
  readonly pValue: number;
  /** A sentence for a person. */
  readonly reason: string;
}

export function decideGate(counts: GateCounts): GateDecision {
  checkCounts(counts);
  const { rows, candidateOnly, championOnly } = counts;
  const discordant = candidateOnly + championOnly;
  const pValue = fairUpperTail(discordant, championOnly);
  const pass = pValue > GATE_ALPHA;
  if (rows === 0) {
    return { pass, pValue, reason: 'There were no held-out rows to compare on; traffic has to judge it.' };
  }
  const score = `${counts.candidateCorrect} of ${rows} held-out rows correct, champion ${counts.championCorrect}`;
  return { pass, pValue, reason: `${score}; ${verdict(counts, pass)}` };
}

/** What made one scoring fail (no memory, a full disk) may pass; what is damaged stays so. */
const GATE_TRIES_MAX = 3;
const GATE_RETRY_MS = 10_000;

export type GateFailureDecision =
  | { readonly go: 'retry'; readonly afterMs: number; readonly reason: string }
  | { readonly go: 'reject'; readonly reason: string };

/** A gate that came to no answer. @param failures how often it has failed now, at least 1 */
export function decideGateFailure(failures: number, problem: string): GateFailureDecision {
  invariant(Number.isInteger(failures) && failures >= 1, 'a failure has happened');
  const reason = `The offline gate could not score it (${failures} of ${GATE_TRIES_MAX} tries): ${problem}`;
  if (failures >= GATE_TRIES_MAX) return { go: 'reject', reason };
  return { go: 'retry', afterMs: GATE_RETRY_MS * 2 ** (failures - 1), reason };
}

function verdict({ candidateOnly, championOnly }: GateCounts, pass: boolean): string {
  const discordant = candidateOnly + championOnly;
  if (discordant === 0) return 'they never differed.';
  const losses = `where just one of them was correct, the champion was in ${championOnly} of ${discordant}`;
  return pass ? `not clearly worse: ${losses}.` : `clearly worse: ${losses}.`;
}

function checkCounts(counts: GateCounts): void {
  const { rows, candidateCorrect, championCorrect, candidateOnly, championOnly } = counts;
  invariant(
    Object.values(counts).every((n) => Number.isInteger(n) && n >= 0),
    'gate counts are whole numbers',
  );
  invariant(
    candidateCorrect - candidateOnly === championCorrect - championOnly,
    'both sides agree on the rows that both answered correctly',
  );
  invariant(
    candidateOnly <= candidateCorrect && candidateCorrect + championOnly <= rows,
    'no more correct answers than rows',
  );
}
