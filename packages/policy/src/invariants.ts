// The invariants of JARVIS Core (DESIGN.md, section 5) as far as they can be told from what is stored.
import { isTerminal, JOB_LIFECYCLE, type InvariantReport, type JobState } from '@jarvis/contracts';
import { type Broken, checkStream } from './stream-invariant.ts';

export interface CoreFacts {
  readonly slotsAllowed: number;
  readonly heldSlots: readonly { readonly slot: number; readonly holder: string; readonly token: number }[];
  /** Jobs in a state in which they hold a slot. */
  readonly jobsWithSlot: readonly { readonly jobId: string; readonly slot: number; readonly token: number }[];
  /** Of all leases whose memory is kept from others. */
  readonly reservedBytes: number;
  /** Budget less safety; null before the first measurement. */
  readonly grantableBytes: number | null;
  /** Of each kind and source: as counted, and as found. */
  readonly counts: readonly {
    readonly what: string;
    readonly counted: number;
    readonly countedTrainable: number;
    readonly stored: number;
    readonly storedTrainable: number;
  }[];
  /** Experiences of all batches that were acknowledged. */
  readonly acknowledged: number;
  readonly stored: number;
  /** The last number that an experience got. */
  readonly numbered: number;
  readonly jobEvents: readonly {
    readonly jobId: string;
    readonly state: JobState;
    readonly events: number;
    readonly lastSeq: number;
    /** Events with a terminal state. */
    readonly ends: number;
    readonly endSeq: number;
  }[];
}

export function checkCoreInvariants(facts: CoreFacts): InvariantReport {
  return {
    checked: facts.grantableBytes === null ? ['I1', 'I3', 'I4'] : ['I1', 'I2', 'I3', 'I4'],
    broken: [
      ...slotsOf(facts),
      ...memoryOf(facts),
      ...experiencesOf(facts),
      ...facts.jobEvents.flatMap((job) =>
        checkStream({ ...job, whose: `job ${job.jobId}`, ended: isTerminal(JOB_LIFECYCLE, job.state) }),
      ),
    ],
  };
}

function slotsOf({ heldSlots, jobsWithSlot, slotsAllowed }: CoreFacts): Broken[] {
  const broken: Broken[] = [];
  if (heldSlots.length > slotsAllowed) {
    const holders = heldSlots.map((s) => s.holder).join(', ');
    broken.push({
      invariant: 'I1',
      message: `${heldSlots.length} slots are held (by ${holders}), ${slotsAllowed} may be`,
    });
  }
  for (const job of jobsWithSlot) {
    const held = heldSlots.some(
      (s) => s.slot === job.slot && s.holder === job.jobId && s.token === job.token,
    );
    if (!held)
      broken.push({
        invariant: 'I1',
        message: `job ${job.jobId} works without holding slot ${job.slot} with token ${job.token}`,
      });
  }
  return broken;
}

function memoryOf({ reservedBytes, grantableBytes }: CoreFacts): Broken[] {
  if (grantableBytes === null || reservedBytes <= grantableBytes) return [];
  return [
    { invariant: 'I2', message: `${reservedBytes} bytes are reserved, ${grantableBytes} may be at most` },
  ];
}

function experiencesOf({ counts, acknowledged, stored, numbered }: CoreFacts): Broken[] {
  const broken = counts
    .filter((c) => c.counted !== c.stored || c.countedTrainable !== c.storedTrainable)
    .map((c): Broken => ({
      invariant: 'I3',
      message: `${c.what}: ${c.counted} counted (${c.countedTrainable} to learn from), ${c.stored} stored (${c.storedTrainable})`,
    }));
  if (acknowledged !== stored)
    broken.push({
      invariant: 'I3',
      message: `${acknowledged} experiences were acknowledged, ${stored} are stored`,
    });
  if (numbered !== stored)
    broken.push({
      invariant: 'I3',
      message: `${numbered} numbers were given, ${stored} experiences are stored`,
    });
  return broken;
}
