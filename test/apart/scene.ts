// How each test of services apart begins: a version that everybody is served, and a rollout of the next one that goes to
// all sessions and does not end.
import { commandResponseSchema, type Deployment, type Experience, type Job } from '@jarvis/contracts';
import { until } from '@jarvis/testkit';
import type { Services } from './services.ts';

const INTENTS = ['lights_on', 'lights_off', 'play_music', 'set_timer'] as const;
const TRAINED_LIMIT_MS = 90_000;

export function experiences(each: number, tag: string): Experience[] {
  return INTENTS.flatMap((intent) =>
    Array.from({ length: each }, (_, n): Experience => ({
      type: 'command',
      input: { text: `${intent.replace('_', ' ')} please ${tag} ${n}` },
      expected_output: { intent },
    })),
  );
}

export async function store(services: Services, rows: readonly Experience[]): Promise<void> {
  await services.call('jarvis-core', 'POST /api/experiences', { experiences: rows });
}

export async function submit(services: Services, body: object = {}): Promise<string> {
  const asked = { model_type: 'nlu', epochs: 20, ...body };
  return (await services.call<{ job: Job }>('jarvis-core', 'POST /api/jobs', asked)).job.job_id;
}

export async function jobThat(
  services: Services,
  id: string,
  what: string,
  fits: (job: Job) => boolean,
): Promise<Job> {
  let last: Job | null = null;
  return until(
    () => `${what}, but ${JSON.stringify(last)}`,
    async () => {
      last = await services.call<Job>('jarvis-core', `GET /api/jobs/${id}`);
      return fits(last) ? last : null;
    },
    TRAINED_LIMIT_MS,
  );
}

/** Starts all three; answers the deployment that is under way. */
export async function begin(services: Services): Promise<string> {
  await Promise.all([
    services.start('reactor-core'),
    services.start('j-prime'),
    services.start('jarvis-core'),
  ]);
  await store(services, experiences(8, 'first'));
  const first = await submit(services);
  await jobThat(services, first, 'the first job to be completed', (job) => job.state === 'completed');
  await until('the first version to be served', async () => {
    return (await services.health('j-prime')).models_deployed['nlu'] === 'v0.1.0';
  });
  await store(services, experiences(8, 'second'));
  const second = await submit(services);
  await jobThat(services, second, 'the second job to be completed', (job) => job.state === 'completed');
  await until('a session to meet the candidate', async () => {
    const answer = await command(services, 'lights on please');
    return answer.arm === 'candidate';
  });
  return (await deployment(services)).deployment_id;
}

export async function command(
  services: Services,
  text: string,
): Promise<{ interaction_id: string; arm: string }> {
  return commandResponseSchema.parse(await services.call('jarvis-core', 'POST /api/command', { text }));
}

/** The one that is under way. */
export async function deployment(services: Services): Promise<Deployment> {
  const { deployments } = await services.call<{ deployments: Deployment[] }>(
    'reactor-core',
    'GET /api/deployments',
  );
  const active = deployments.find(({ state }) => state === 'rolling' || state === 'holding');
  if (active === undefined) throw new Error(`no rollout is under way: ${JSON.stringify(deployments)}`);
  return active;
}

/** Requests of the candidate that the judge has heard of. */
export async function judged(services: Services): Promise<number> {
  return (await deployment(services)).steps.reduce((sum, step) => sum + step.requests, 0);
}
