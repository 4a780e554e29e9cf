// `GET /health`: this service, and how it sees the other two.
import { type Health, healthSchema, type Identity, type Peer } from '@jarvis/contracts';
import type { Clock, HttpServer, ServiceClient } from '@jarvis/runtime';
import type { Database } from '@jarvis/store';
import type { Watch } from './budget/watch.ts';
import { outboxOf } from './metrics.ts';
import { countAll } from './store/experiences.ts';
import { countJobs } from './store/jobs.ts';

export interface HealthOptions {
  readonly identity: Identity;
  readonly db: Database;
  readonly clock: Clock;
  readonly startedMs: number;
  readonly prime: ServiceClient | null;
  readonly reactor: ServiceClient | null;
  readonly watch: () => Watch | null;
}

export function addHealthRoutes(server: HttpServer, options: HealthOptions): void {
  for (const path of ['/health', '/api/health']) {
    server.get(
      path,
      {
        schema: {
          summary: 'Who answers here, and the other two as seen from here',
          response: { 200: healthSchema },
        },
      },
      () => healthOf(options),
    );
  }
}

async function healthOf(options: HealthOptions): Promise<Health> {
  const { db, identity } = options;
  const peers = peersOf(options);
  const outbox = await outboxOf(db, options.clock);
  const degraded = Object.values(peers).some((p) => !p.reachable);
  return {
    ...identity,
    status: degraded ? 'degraded' : 'healthy',
    uptime_seconds: (options.clock.monotonic() - options.startedMs) / 1000,
    active_training_jobs: await countJobs(db, ['starting', 'training', 'preempting']),
    experience_buffer_size: await countAll(db),
    models_deployed: options.watch()?.peers().prime?.models_deployed ?? {},
    peers,
    outbox_pending: outbox.pending,
    outbox,
  };
}

/** The services that this one needs, as they were seen last. */
export function peersOf(options: Pick<HealthOptions, 'prime' | 'reactor' | 'watch'>): Record<string, Peer> {
  const seen = options.watch()?.peers() ?? { prime: null, reactor: null };
  const peers: Record<string, Peer> = {};
  if (options.prime !== null) peers['j-prime'] = peer(options.prime, seen.prime);
  if (options.reactor !== null) peers['reactor-core'] = peer(options.reactor, seen.reactor);
  return peers;
}

/** As the last look saw it; since when is only known of what the last call was like too. */
function peer(client: ServiceClient, seen: Health | null): Peer {
  const { since, ...known } = client.reachability();
  const reachable = seen !== null;
  const detail = seen === null ? known.detail : `${seen.status}, pid ${seen.pid}`;
  return { ...known, ...(known.reachable === reachable ? { since } : {}), reachable, detail };
}
