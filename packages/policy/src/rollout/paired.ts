// Guard 2: the candidate is less accurate. Both versions answered the same input, and a correction came later; only
// pairs where one was right count. c = candidate wrong and stable right, s = the reverse, n = c + s:
// E = 2^(n+1) * B(c+1, s+1) * (1 - I_half(c+1, s+1)), which is the absolute limit (Guard 3) of 1/2 on c out of n.
import type { EValue } from './e-value.ts';
import { failureLimitEvidence } from './failure-limit.ts';

export interface DiscordantPairs {
  /** c: the stable version was right and the candidate wrong. */
  readonly candidateWrong: number;
  /** s: the candidate was right and the stable version wrong. */
  readonly stableWrong: number;
}

/** Evidence that the candidate loses more than half of the pairs in which the two differ. */
export function pairedAccuracyEvidence({ candidateWrong, stableWrong }: DiscordantPairs): EValue {
  return failureLimitEvidence({
    failures: candidateWrong,
    requests: candidateWrong + stableWrong,
    limit: 0.5,
  });
}
