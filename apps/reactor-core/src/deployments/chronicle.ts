// The evidence of each rollout over time, noted for its report: when it begins and ends, at each step, and in between.
import type { RolloutSample } from '@jarvis/contracts';
import { isSampleDue, type JudgeState, readGuards } from '@jarvis/policy';
import { isoOf } from '@jarvis/runtime';
import type { Transaction } from '@jarvis/store';
import { type DeploymentRow, historyOf, judgeOf, percentOf, planOf } from '../store/deployments.ts';
import { addSample, lastSample } from '../store/samples.ts';

/** Notes what is known now, unless it was noted lately, or nothing is new. */
export async function noteIfDue(tx: Transaction, row: DeploymentRow, nowMs: number): Promise<void> {
  const last = await lastSample(tx, row.deployment_id);
  const startedMs = historyOf(row)[0]?.startedMs ?? nowMs;
  const lastMs = last === null ? null : Date.parse(last.at);
  if (!isSampleDue({ startedMs, lastMs, nowMs, stepSeconds: planOf(row).stepSeconds })) return;
  await noteSample(tx, row, { nowMs, last });
}

/** Notes what is known now. */
export async function noteNow(tx: Transaction, row: DeploymentRow, nowMs: number): Promise<void> {
  await noteSample(tx, row, { nowMs, last: await lastSample(tx, row.deployment_id) });
}

async function noteSample(
  tx: Transaction,
  row: DeploymentRow,
  { nowMs, last }: { nowMs: number; last: RolloutSample | null },
): Promise<void> {
  const sample = sampleOf(judgeOf(row), { percent: percentOf(row), nowMs });
  if (last !== null && JSON.stringify({ ...last, at: sample.at }) === JSON.stringify(sample)) return;
  await addSample(tx, { deploymentId: row.deployment_id, atMs: nowMs }, sample);
}

export function sampleOf(
  judge: JudgeState,
  { percent, nowMs }: { percent: number; nowMs: number },
): RolloutSample {
  const { requests, errors, pairs, shadow, paired } = judge;
  const { asked, unasked } = paired;
  return {
    at: isoOf(nowMs),
    percent,
    requests,
    errors,
    pairs: {
      ...pairs,
      candidate_wrong: asked.candidateWrong + unasked.candidateWrong,
      stable_wrong: asked.stableWrong + unasked.stableWrong,
    },
    shadow,
    guards: readGuards(judge),
  };
}
