// The story under one policy, and what of it did not hold.
import type { NegotiationPolicy } from '@jarvis/contracts';
import { makeArena } from './arena.ts';
import type { PolicyReport } from './report.ts';
import { SIZES, startSmallMachine } from './small-machine.ts';
import { type Account, tell } from './story.ts';

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
  if (account.digests.size !== 1)
    problems.push(`${account.digests.size} different results of the same training`);
  const interrupted = account.interruptedMs.length;
  if (policy === 'serving_first' && interrupted < trainings)
    problems.push(`only ${interrupted} of ${trainings} requests in mid-training were answered`);
  return problems;
}
