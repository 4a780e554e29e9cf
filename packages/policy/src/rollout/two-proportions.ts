// Whether two versions differ in a proportion, for the report of an ab_test that is watched all the time. Results come in
// blocks of fixed sizes, one of each arm; before each block both proportions are guessed from the blocks before it, and
// the evidence is multiplied by how much likelier the block is under the two guesses than under their common mean:
//   E *= p(y_stable | theta_stable) * p(y_candidate | theta_candidate) / p(all of the block | theta_0)
// After Turner, Ly & Grünwald (arXiv 2106.02693), as in the R package safestats 0.8.7.
import { invariant } from '@jarvis/contracts';
import { eValueOf, type EValue } from './e-value.ts';
import type { ArmCounts } from './judge.ts';

/** Of each outcome before the first block, for the stable version: that of safestats. */
const PRIOR_COUNT = 0.18;

/** `differs`: either way. `candidate_more`: only that the candidate's proportion is the greater one. */
export type ProportionsAlternative = 'differs' | 'candidate_more';

export interface ProportionsOptions {
  /** How many results of each arm make a block. */
  readonly blockSizes: ArmCounts;
  readonly alternative: ProportionsAlternative;
}

/** Plain JSON, so that it is stored and goes on after a restart. */
export interface ProportionsState extends ProportionsOptions {
  readonly blocks: number;
  /** Over all blocks. */
  readonly events: ArmCounts;
  readonly logEvidence: number;
}

export function startProportions(options: ProportionsOptions): ProportionsState {
  const { blockSizes, alternative } = options;
  for (const size of [blockSizes.stable, blockSizes.candidate])
    invariant(Number.isInteger(size) && size >= 1, 'a block has at least one result of each arm');
  return { blockSizes, alternative, blocks: 0, events: { stable: 0, candidate: 0 }, logEvidence: 0 };
}

/** Takes one whole block: how many of its results were events, by arm. */
export function observeBlock(state: ProportionsState, events: ArmCounts): ProportionsState {
  const { blockSizes, blocks, logEvidence } = state;
  for (const arm of ['stable', 'candidate'] as const)
    invariant(
      Number.isInteger(events[arm]) && events[arm] >= 0 && events[arm] <= blockSizes[arm],
      'no more events than results',
    );
  return {
    ...state,
    blocks: blocks + 1,
    events: {
      stable: state.events.stable + events.stable,
      candidate: state.events.candidate + events.candidate,
    },
    logEvidence: logEvidence + logGain(state, events),
  };
}

/** Evidence against equal proportions, or with `candidate_more` against a candidate's that is no greater. */
export function proportionsEvidence(state: ProportionsState): EValue {
  return eValueOf(state.logEvidence);
}

function logGain(
  { blockSizes: n, alternative, blocks, events: seen }: ProportionsState,
  y: ArmCounts,
): number {
  const stable = guess(seen.stable, blocks * n.stable, PRIOR_COUNT);
  const candidate = guess(seen.candidate, blocks * n.candidate, (PRIOR_COUNT * n.candidate) / n.stable);
  // Bets only on what it is asked about.
  if (alternative === 'candidate_more' && candidate <= stable) return 0;
  const both = n.stable + n.candidate;
  const common = (n.stable * stable + n.candidate * candidate) / both;
  return (
    logChance(y.stable, n.stable, stable) +
    logChance(y.candidate, n.candidate, candidate) -
    logChance(y.stable + y.candidate, both, common)
  );
}

/** The mean of the proportion after so many events, with as many of either outcome before. Never 0 or 1. */
function guess(events: number, results: number, prior: number): number {
  return (events + prior) / (results + 2 * prior);
}

/** ln of the chance of these very results, in their order; the order cancels. */
function logChance(events: number, results: number, proportion: number): number {
  return events * Math.log(proportion) + (results - events) * Math.log1p(-proportion);
}
