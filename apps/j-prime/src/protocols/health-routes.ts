// Who answers here, what it serves, and whether it hears from Reactor Core.
import { type Health, healthSchema, type Identity, type Outbox, type Peer } from '@jarvis/contracts';
import type { Clock, HttpServer } from '@jarvis/runtime';
import type { LlmServer } from '../llm/server.ts';
import type { Fleet } from '../models/fleet.ts';

export interface HealthOptions {
  readonly identity: Identity;
  readonly startedMs: number;
  readonly clock: Clock;
  readonly fleet: Fleet;
  /** null: none is configured. */
  readonly llm: LlmServer | null;
  /** Whether the versions that were known at start are still being loaded. */
  readonly isStarting: () => boolean;
  readonly reactor: () => Peer;
  readonly outbox: () => Promise<Outbox>;
}

export function addHealthRoutes(server: HttpServer, options: HealthOptions): void {
  const schema = { summary: 'Who answers here, and what it serves', response: { 200: healthSchema } };
  server.get('/health', { schema }, () => healthOf(options));
  server.get('/api/health', { schema }, () => healthOf(options));
}

async function healthOf(options: HealthOptions): Promise<Health> {
  const outbox = await options.outbox();
  return {
    ...options.identity,
    status: statusOf(options),
    uptime_seconds: (options.clock.monotonic() - options.startedMs) / 1000,
    active_training_jobs: 0,
    experience_buffer_size: 0,
    models_deployed: options.fleet.deployed(),
    peers: { 'reactor-core': options.reactor() },
    outbox_pending: outbox.pending,
    outbox,
  };
}

/** Without Reactor Core it serves as before; a routed version that cannot be served is what makes it less than healthy. */
function statusOf({ fleet, llm, isStarting }: HealthOptions): Health['status'] {
  if (fleet.list().some(({ served, role }) => role === 'stable' && served.state === 'broken'))
    return 'degraded';
  // An LLM that is not in memory comes when it is asked for; one that cannot be loaded does not.
  if (llm?.life.state === 'broken') return 'degraded';
  return isStarting() ? 'starting' : 'healthy';
}
