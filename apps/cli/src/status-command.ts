// `jarvis status`: who answers, what is served, what is trained.
import { type Health, healthSchema, type ServiceName, SERVICES } from '@jarvis/contracts';
import { type Config, readConfigOrExit } from '@jarvis/runtime';
import { EXIT_AWAY } from './exit.ts';
import { TITLES, withService } from './services.ts';
import { styleOf, table } from './style.ts';
import type { World } from './world.ts';

export interface ServiceStatus {
  readonly service: ServiceName;
  readonly url: string;
  readonly health: Health | null;
  /** Why there is no health, for a person. */
  readonly error: string | null;
}

export async function statusCommand(world: World, options: { json?: true }): Promise<void> {
  const config = readConfigOrExit(world);
  const wanted = SERVICES.filter((name) => isEnabled(config, name));
  const services = await Promise.all(wanted.map((name) => ask(config, name)));
  const up = services.filter((s) => s.health !== null && s.health.status !== 'starting').length;
  if (options.json === true)
    world.stdout.write(`${JSON.stringify({ operational: up, total: services.length, services }, null, 2)}\n`);
  else world.stdout.write(`${describe(world, services)}\n${up}/${services.length} operational\n`);
  if (up < services.length) process.exitCode = EXIT_AWAY;
}

function isEnabled(config: Config, name: ServiceName): boolean {
  if (name === 'j-prime') return config.env.JARVIS_PRIME_ENABLED;
  return name === 'reactor-core' ? config.env.REACTOR_CORE_ENABLED : true;
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

function describe(world: World, services: readonly ServiceStatus[]): string {
  const { paint } = styleOf(world.stdout);
  const rows = services.map(({ service, url, health, error }) => {
    if (health === null) return ['✖', TITLES[service], url, 'away', error ?? ''];
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
    return ['✔', TITLES[service], url, health.status, facts.join(', ')];
  });
  return table(rows)
    .split('\n')
    .map((line) => (line.startsWith('✔') ? paint('green', line) : paint('red', line)))
    .join('\n');
}
