// `jarvis status`: who answers, what is served, what is trained, rolled out or waits, and why.
import {
  type Deployment,
  DEPLOYMENT_LIFECYCLE,
  deploymentsSchema,
  type Health,
  healthSchema,
  isTerminal,
  type Job,
  JOB_LIFECYCLE,
  jobsSchema,
  type ServiceName,
  trainingGateSchema,
} from '@jarvis/contracts';
import { type Config, readConfigOrExit, type ServiceClient } from '@jarvis/runtime';
import { enabledServices, SERVICE_TITLES } from '@jarvis/supervisor';
import { EXIT_AWAY } from './exit.ts';
import { withService } from './services.ts';
import { styleOf, table } from './style.ts';
import type { World } from './world.ts';

export interface ServiceStatus {
  readonly service: ServiceName;
  readonly url: string;
  readonly health: Health | null;
  /** Why there is no health, for a person. */
  readonly error: string | null;
}

/** What is under way: newest first. Empty also where its service is away. */
interface UnderWay {
  readonly jobs: readonly Job[];
  readonly deployments: readonly Deployment[];
  /** Why nobody may train now; null when training is not held. */
  readonly training_held: string | null;
}

export async function statusCommand(world: World, options: { json?: true }): Promise<void> {
  const config = readConfigOrExit(world);
  const wanted = enabledServices(config.env);
  const services = await Promise.all(wanted.map((name) => ask(config, name)));
  const up = services.filter((s) => s.health !== null && s.health.status !== 'starting').length;
  const underWay = await askUnderWay(config, services);
  if (options.json === true)
    world.stdout.write(
      `${JSON.stringify({ operational: up, total: services.length, services, ...underWay }, null, 2)}\n`,
    );
  else {
    const lines = [...serviceLines(world, services), ...underWayLines(underWay)];
    const hint = up < services.length ? '; `jarvis up` starts what is missing' : '';
    world.stdout.write(`${lines.join('\n')}\n${up}/${services.length} operational${hint}\n`);
  }
  if (up < services.length) process.exitCode = EXIT_AWAY;
}

async function ask(config: Config, service: ServiceName): Promise<ServiceStatus> {
  const url = config.urls[service];
  try {
    const health = await withService(config, service, (c) => c.get('/health', healthSchema, { once: true }));
    return { service, url, health, error: null };
  } catch (error) {
    return { service, url, health: null, error: (error as Error).message };
  }
}

async function askUnderWay(config: Config, services: readonly ServiceStatus[]): Promise<UnderWay> {
  const from = async <T>(
    service: ServiceName,
    none: T,
    get: (client: ServiceClient) => Promise<T>,
  ): Promise<T> =>
    services.some((s) => s.service === service && s.health !== null)
      ? // It may go between two questions; its row has said that it was there.
        withService(config, service, get).catch(() => none)
      : none;
  const once = { once: true } as const;
  const [{ jobs }, held, { deployments }] = await Promise.all([
    from('jarvis-core', { jobs: [] }, (c) => c.get('/api/jobs', jobsSchema, once)),
    from('jarvis-core', null, async (c) => (await c.get('/api/training', trainingGateSchema, once)).reason),
    from('reactor-core', { deployments: [] }, (c) => c.get('/api/deployments', deploymentsSchema, once)),
  ]);
  return {
    jobs: jobs.filter((job) => !isTerminal(JOB_LIFECYCLE, job.state)),
    deployments: deployments.filter((d) => !isTerminal(DEPLOYMENT_LIFECYCLE, d.state)),
    training_held: held,
  };
}

function serviceLines(world: World, services: readonly ServiceStatus[]): string[] {
  const { paint } = styleOf(world.stdout);
  const rows = services.map(({ service, url, health, error }) => {
    const title = SERVICE_TITLES[service];
    if (health === null) return ['✖', title, url, 'away', whyAway(error ?? '', title, url)];
    const models = Object.entries(health.models_deployed).map(([kind, version]) => `${kind} ${version}`);
    const facts = [
      `pid ${health.pid}`,
      `up ${Math.round(health.uptime_seconds)} s`,
      ...(models.length > 0 ? [models.join(', ')] : []),
      ...(health.active_training_jobs > 0 ? [`${health.active_training_jobs} training`] : []),
      ...Object.entries(health.peers ?? {}).flatMap(([peer, p]) =>
        p.reachable ? [] : [`${peer}: ${p.detail}`],
      ),
    ];
    return ['✔', title, url, health.status, facts.join(', ')];
  });
  return table(rows)
    .split('\n')
    .map((line) => (line.startsWith('✔') ? paint('green', line) : paint('red', line)));
}

/** The row names service and address already. */
function whyAway(error: string, title: string, url: string): string {
  const known = `${title} does not answer at ${url} (`;
  return error.startsWith(known) ? error.slice(known.length, -1) : error;
}

function underWayLines({ jobs, deployments, training_held }: UnderWay): string[] {
  return [
    ...(training_held === null ? [] : [`nothing trains: ${training_held}`]),
    ...jobs.map((job) => {
      const epochs = job.epoch > 0 ? ` epoch ${job.epoch}/${job.total_epochs}` : '';
      return `training ${job.model_type}: ${job.state.replaceAll('_', ' ')}${epochs}, ${job.reason} (${job.job_id})`;
    }),
    ...deployments.map(
      (d) =>
        `rollout of ${d.model_type} ${d.model_version}: ${d.state} at ${d.current_percentage} %, ${d.reason}`,
    ),
  ];
}
