// The story under one policy, and what of it did not hold.
import type { NegotiationPolicy } from '@jarvis/contracts';
import { makeArena } from './arena.ts';
import { ownMs } from './asking-mid-training.ts';
import { undisturbedDigest } from './chain.ts';
import { EPOCHS } from './jobs.ts';
import type { PolicyReport } from './report.ts';
import { SIZES, startSmallMachine } from './small-machine.ts';
import { type Account, tell } from './story.ts';

/** A request in mid-training is answered within the time of a checkpoint, that of a load, and so much. */
const OWN_MS_MAX = 1_000;

export interface PolicyRun {
  readonly folder: string;
  readonly policy: NegotiationPolicy;
  readonly trainings: number;
  readonly say: (line: string) => void;
}

export async function runPolicy({ folder, policy, trainings, say }: PolicyRun): Promise<PolicyReport> {
  const arena = await makeArena(SIZES.limit * 1024 ** 2);
  try {
    const machine = await startSmallMachine({ arena, folder, policy, negotiates: true });
    const account = await tell(machine, trainings, (line) => say(`${policy}: ${line}`));
    const [kills, peakBytes] = [await arena.kills(), await arena.peakBytes()];
    await machine.down();
    const problems = problemsOf(account, { policy, kills, trainings });
    return { policy, account, kills, peakBytes, limitBytes: arena.limitBytes, problems };
  } finally {
    await arena.remove();
  }
}

function problemsOf(
  account: Account,
  { policy, kills, trainings }: { policy: NegotiationPolicy; kills: number; trainings: number },
): string[] {
  const problems: string[] = [];
  if (kills > 0) problems.push(`the kernel killed ${kills}`);
  if (account.unanswered.length > 0)
    problems.push(`requests without an answer: ${account.unanswered.join(', ')}`);
  if (account.completed < trainings) problems.push(`not completed: ${account.otherwise.join('; ')}`);
  const undisturbed = undisturbedDigest(EPOCHS);
  const others = [...account.digests].filter((digest) => digest !== undisturbed);
  if (others.length > 0) problems.push(`${others.length} results are not those of an undisturbed training`);
  if (policy !== 'serving_first') return problems;
  const { interrupted } = account;
  if (interrupted.length < trainings)
    problems.push(`only ${interrupted.length} of ${trainings} requests in mid-training were answered`);
  const late = interrupted.map(ownMs).filter((ms) => ms > OWN_MS_MAX);
  if (late.length > 0)
    problems.push(`beyond checkpoint and load, requests took ${late.map(Math.round).join(', ')} ms`);
  return problems;
}
