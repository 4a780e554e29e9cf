// I4 for one stream of events: numbered without a gap, told to end exactly once if it has ended, and nothing after that.
import type { InvariantReport } from '@jarvis/contracts';

export type Broken = InvariantReport['broken'][number];

export interface StreamFacts {
  /** Whose events they are, for a person. */
  readonly whose: string;
  readonly state: string;
  readonly ended: boolean;
  readonly events: number;
  readonly lastSeq: number;
  /** Events that say that it is over. */
  readonly ends: number;
  readonly endSeq: number;
}

export function checkStream(stream: StreamFacts): Broken[] {
  const { whose, state, ended, events, lastSeq, ends, endSeq } = stream;
  const broken: Broken[] = [];
  if (events === 0 || events !== lastSeq)
    broken.push({
      invariant: 'I4',
      message: `${whose} has ${events} events, the last is number ${lastSeq}`,
    });
  if (ends !== (ended ? 1 : 0))
    broken.push({
      invariant: 'I4',
      message: `${whose} is ${state} and was told to end ${ends} times`,
    });
  else if (ended && endSeq !== lastSeq)
    broken.push({
      invariant: 'I4',
      message: `${whose} ended with event ${endSeq}, and event ${lastSeq} came after it`,
    });
  return broken;
}
