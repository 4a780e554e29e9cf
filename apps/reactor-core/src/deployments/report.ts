// The report of a rollout, for a person: what was compared, the evidence over time, why it ended.
import { ARMS, type Deployment, type RolloutReport } from '@jarvis/contracts';
import { type JudgeState, noWorseEvidence, rateInterval } from '@jarvis/policy';
import type { Database } from '@jarvis/store';
import { type DeploymentRow, judgeOf } from '../store/deployments.ts';
import { listSamples } from '../store/samples.ts';
import { sampleOf } from './chronicle.ts';

const SAMPLES_SHOWN_MAX = 5_000;
const DISPLAY_ALPHA = 0.05;
const EVENTS = ['failed', 'slow', 'corrected'] as const;

export async function reportOf(
  db: Database,
  { row, deployment, nowMs }: { row: DeploymentRow; deployment: Deployment; nowMs: number },
): Promise<RolloutReport> {
  const judge = judgeOf(row);
  const { byErrors, byPairs, threshold } = noWorseEvidence(judge);
  return {
    deployment,
    rates: ratesOf(judge),
    no_worse: { by_errors: byErrors, by_pairs: byPairs, threshold },
    now: sampleOf(judge, {
      percent: deployment.current_percentage,
      nowMs: deployment.ended_at === null ? nowMs : Date.parse(deployment.ended_at),
    }),
    samples: await listSamples(db, row.deployment_id, SAMPLES_SHOWN_MAX),
  };
}

function ratesOf({ requests, errors }: JudgeState): RolloutReport['rates'] {
  return EVENTS.flatMap((what) =>
    ARMS.map((arm) => {
      const events = errors[what][arm];
      // An error may be heard of before its request is counted.
      const trials = Math.max(requests[arm], events);
      return {
        arm,
        what,
        events,
        requests: trials,
        ...rateInterval({ successes: events, trials, alpha: DISPLAY_ALPHA }),
      };
    }),
  );
}
