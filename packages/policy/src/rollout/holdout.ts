// How much of the data is held out for the gate.
import { invariant } from '@jarvis/contracts';

/** With fewer labelled inputs than this, holding some out would cost more than the gate could tell. */
const LABELLED_MIN = 50;
/** The rest of what is new has to be learned from: else a training would learn only what the one before held out. */
const SHARE_OF_FRESH_MAX = 1 / 3;

export interface LabelledInputs {
  /** Inputs with a label, seeds apart. */
  readonly labelled: number;
  /** Those of them that no earlier training was given with the label they have now. */
  readonly fresh: number;
  readonly percent: number;
}

/**
 * How many of the fresh inputs are held out: `percent` of all, at most a third of the fresh. Only fresh ones are fair:
 * the champion has learned the others by heart, and a candidate that is kept from them would look worse than it is.
 */
export function gateRows({ labelled, fresh, percent }: LabelledInputs): number {
  invariant(fresh >= 0 && fresh <= labelled, 'fresh inputs are labelled inputs');
  if (labelled < LABELLED_MIN) return 0;
  return Math.min(Math.round((labelled * percent) / 100), Math.floor(fresh * SHARE_OF_FRESH_MAX));
}
