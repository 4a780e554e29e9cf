// At which stage of its days a demo is, as seen over HTTP from outside.
import type { Deployment, Job, Run } from '@jarvis/contracts';
import { getJson, type Urls } from './demo-process.ts';

export interface Seen {
  /** Such as `train 2`: the second training; null while nothing is known. */
  readonly stage: string | null;
  readonly trainerPid: number | null;
}

const ENDED = ['completed', 'failed', 'cancelled'];
const ROLLING = ['rolling', 'holding'];

/** use n -> train n -> rollout n -> use n + 1 …; the baseline is training 0 and is deployed at once. */
export async function see(urls: Urls): Promise<Seen> {
  const [jobs, deployments, runs] = await Promise.all([
    getJson<{ jobs: Job[] }>(`${urls.core}/api/jobs`),
    getJson<{ deployments: Deployment[] }>(`${urls.reactor}/api/deployments`),
    getJson<{ runs: Run[] }>(`${urls.reactor}/api/training/jobs`),
  ]);
  if (jobs === null || deployments === null || runs === null) return { stage: null, trainerPid: null };
  const done = jobs.jobs.filter((j) => j.state === 'completed').length;
  const live = runs.runs.find((r) => r.state === 'running' && r.pid !== null);
  if (jobs.jobs.some((j) => !ENDED.includes(j.state)))
    return { stage: live === undefined ? null : `train ${done}`, trainerPid: live?.pid ?? null };
  if (deployments.deployments.some((d) => ROLLING.includes(d.state)))
    return { stage: `rollout ${done - 1}`, trainerPid: null };
  return { stage: done === 0 ? null : `use ${done}`, trainerPid: null };
}
