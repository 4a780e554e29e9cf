// What a demo came to: the object of --json, and whether all of it went as it should.
import type { Deployment, DeploymentState, Job, JobState, ModelType } from '@jarvis/contracts';

export interface DemoSummary {
  /** Shares of the held-out commands that were understood. */
  readonly accuracy: { readonly before: number; readonly first: number; readonly second: number };
  readonly versions: readonly string[];
  readonly rollout_steps: readonly number[];
  readonly rollouts: readonly {
    readonly version: string;
    readonly verdict: DeploymentState;
    readonly steps: readonly {
      readonly percent: number;
      readonly seconds: number;
      readonly requests: number;
    }[];
  }[];
  readonly rolled_back: { readonly version: string; readonly reason: string } | null;
  readonly experiences: { readonly sent: number; readonly stored: number };
  readonly jobs: readonly {
    readonly job_id: string;
    readonly model_type: ModelType;
    readonly state: JobState;
  }[];
  readonly seconds: {
    readonly start: number;
    readonly train: number;
    readonly rollout: number;
    readonly total: number;
  };
}

export interface Observed {
  readonly accuracy: DemoSummary['accuracy'];
  readonly versions: readonly string[];
  readonly rolloutSteps: readonly number[];
  readonly deployments: readonly Deployment[];
  readonly experiences: DemoSummary['experiences'];
  readonly jobs: readonly Job[];
  readonly ms: {
    readonly start: number;
    readonly train: number;
    readonly rollout: number;
    readonly total: number;
  };
}

export function summarize(seen: Observed): DemoSummary {
  const back = seen.deployments.find((d) => d.state === 'rolled_back');
  return {
    accuracy: {
      before: rounded(seen.accuracy.before, 4),
      first: rounded(seen.accuracy.first, 4),
      second: rounded(seen.accuracy.second, 4),
    },
    versions: seen.versions,
    rollout_steps: seen.rolloutSteps,
    rollouts: seen.deployments.map(({ model_version, state, steps }) => ({
      version: model_version,
      verdict: state,
      steps: steps.map(({ percent, seconds, requests }) => ({
        percent,
        seconds: rounded(seconds, 2),
        requests,
      })),
    })),
    rolled_back: back === undefined ? null : { version: back.model_version, reason: back.reason },
    experiences: seen.experiences,
    jobs: seen.jobs.map(({ job_id, model_type, state }) => ({ job_id, model_type, state })),
    seconds: {
      start: rounded(seen.ms.start / 1000, 2),
      train: rounded(seen.ms.train / 1000, 2),
      rollout: rounded(seen.ms.rollout / 1000, 2),
      total: rounded(seen.ms.total / 1000, 2),
    },
  };
}

export interface Expectation {
  readonly healthyThirdDay: boolean;
  /** ROLLOUT_STEP_MIN_REQUESTS. */
  readonly stepMinRequests: number;
}

/** The baseline's job, and one for each day. */
const JOBS = 4;

/** What did not go as it should, in sentences; empty when all did. */
export function shortcomings(summary: DemoSummary, expected: Expectation): string[] {
  const { accuracy, rollouts, experiences, jobs } = summary;
  const found: string[] = [];
  if (!(accuracy.before < accuracy.first && accuracy.first < accuracy.second))
    found.push(`the accuracy did not rise: ${accuracy.before}, ${accuracy.first}, ${accuracy.second}`);
  const verdicts = ['promoted', 'promoted', expected.healthyThirdDay ? 'promoted' : 'rolled_back'];
  const seen = rollouts.map((r) => r.verdict);
  if (seen.join() !== verdicts.join())
    found.push(`the rollouts ended as ${seen.join(', ')}, not ${verdicts.join(', ')}`);
  for (const { version, steps } of rollouts.filter((r) => r.verdict === 'promoted')) {
    if (steps.map((s) => s.percent).join() !== summary.rollout_steps.join())
      found.push(
        `${version} went through ${steps.map((s) => s.percent).join(', ')} %, not ${summary.rollout_steps.join(', ')}`,
      );
    const thin = steps.filter((s) => s.requests < expected.stepMinRequests);
    for (const s of thin) found.push(`${version} was seen by ${s.requests} requests only at ${s.percent} %`);
  }
  if (!expected.healthyThirdDay && (summary.rolled_back?.reason ?? '') === '')
    found.push('no reason was given for the rollback');
  if (experiences.sent !== experiences.stored)
    found.push(`${experiences.sent} experiences were acknowledged, ${experiences.stored} are stored`);
  for (const job of jobs.filter((j) => j.state !== 'completed')) found.push(`${job.job_id} is ${job.state}`);
  if (jobs.length !== JOBS) found.push(`there were ${jobs.length} jobs, not ${JOBS}`);
  return found;
}

function rounded(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
