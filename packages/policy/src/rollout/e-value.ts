// Evidence against a hypothesis that may be looked at after every observation: if the hypothesis holds, an e-value
// ever reaches 1/alpha with a chance of alpha at most (Ville's inequality). No other correction is needed for looking.

export interface EValue {
  /** Infinity where it is too large for a double; then `logEvidence` still is exact. */
  readonly evidence: number;
  /** Natural logarithm of the evidence. */
  readonly logEvidence: number;
}

export function eValueOf(logEvidence: number): EValue {
  return { evidence: Math.exp(logEvidence), logEvidence };
}
