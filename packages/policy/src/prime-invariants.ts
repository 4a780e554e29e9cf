// The invariants of J-Prime: what it serves from, what it serves, what the judge has not heard, what memory it gave away.
import type { InvariantReport, ServedVersionState } from '@jarvis/contracts';
import { checkFile, type FileFacts } from './promised-file.ts';
import type { Broken } from './stream-invariant.ts';

export interface PrimeFacts {
  readonly files: readonly FileFacts[];
  readonly served: readonly {
    readonly name: string;
    readonly state: ServedVersionState;
    /** Why it is broken. */
    readonly detail: string;
    /** Whether requests are sent to it now. */
    readonly answers: boolean;
  }[];
  readonly outbox: {
    /** Rows that are no evidence, with what is wrong. */
    readonly unreadable: readonly string[];
    /** Places of what was tried and is not acknowledged, and of what was not tried yet. */
    readonly lastTriedSeq: number | null;
    readonly firstFreshSeq: number | null;
    /** Deployment, arm and step of which requests gather in more than one row. */
    readonly gatheredTwice: readonly string[];
  };
  readonly room: {
    /** Requests for room whose memory has not come back, with what is wrong with those that cannot be read. */
    readonly open: number;
    readonly unreadable: readonly string[];
    readonly lent: boolean;
  };
  readonly notes: readonly string[];
}

export function checkPrimeInvariants(facts: PrimeFacts): InvariantReport {
  return {
    checked: ['I2', 'I7', 'I8', 'outbox'],
    broken: [
      ...roomOf(facts.room),
      ...servedOf(facts.served),
      ...facts.files.flatMap((file) => checkFile(file)),
      ...outboxOf(facts.outbox),
    ],
    notes: [...facts.notes],
  };
}

function roomOf({ open, unreadable, lent }: PrimeFacts['room']): Broken[] {
  const broken = unreadable.map((what): Broken => ({
    invariant: 'I2',
    message: `a request for room: ${what}`,
  }));
  if (open > 0 && !lent)
    broken.push({
      invariant: 'I2',
      message: `${open} requests for room have not come back, and the memory counts as ours`,
    });
  return broken;
}

function servedOf(served: PrimeFacts['served']): Broken[] {
  return served.flatMap(({ name, state, detail, answers }): Broken[] => {
    if (answers && state !== 'ready')
      return [{ invariant: 'I7', message: `${name} is asked for answers and is ${state}` }];
    if (state === 'broken' && detail === '')
      return [{ invariant: 'I7', message: `${name} is broken and nothing says why` }];
    return [];
  });
}

function outboxOf({
  unreadable,
  lastTriedSeq,
  firstFreshSeq,
  gatheredTwice,
}: PrimeFacts['outbox']): Broken[] {
  const broken = [
    ...unreadable.map((what) => `a row is no evidence: ${what}`),
    ...gatheredTwice.map((what) => `the requests of ${what} gather in more than one row`),
  ];
  if (lastTriedSeq !== null && firstFreshSeq !== null && lastTriedSeq > firstFreshSeq)
    broken.push(`row ${lastTriedSeq} was sent before row ${firstFreshSeq}, which came first`);
  return broken.map((message) => ({ invariant: 'outbox', message }));
}
