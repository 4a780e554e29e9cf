// Routes: who serves each kind. Every change is a full snapshot with the next revision, appended as an event in the
// transaction that brings it about; the newest event of the stream is the truth that J-Prime follows.
import type { Route, Routes } from '@jarvis/contracts';
import { type Clock, isoNow, type SseMessage } from '@jarvis/runtime';
import type { Database, EventLog, Reader, Transaction } from '@jarvis/store';
import { type DeploymentRow, listActiveRollouts, percentOf } from '../store/deployments.ts';
import { newestRoutes, NO_ROUTES, ROUTES_STREAM } from '../store/routes.ts';
import { findVersion, listChampions } from '../store/versions.ts';

export class Routing {
  readonly #db: Database;
  readonly #events: EventLog;
  readonly #clock: Clock;

  constructor(options: { db: Database; events: EventLog; clock: Clock }) {
    this.#db = options.db;
    this.#events = options.events;
    this.#clock = options.clock;
  }

  /** Call it at the end of each transaction that changes a champion or a weight. */
  async publish(tx: Transaction): Promise<void> {
    const routes = await routesNow(tx);
    const before = await newestRoutes(tx);
    if (JSON.stringify(before.routes) === JSON.stringify(routes)) return;
    const data: Routes = { revision: before.revision + 1, routes };
    await this.#events.append(tx, { stream: ROUTES_STREAM, type: 'routes', data, at: isoNow(this.#clock) });
  }

  current(): Promise<Routes> {
    return newestRoutes(this.#db);
  }

  /** The snapshot as it is now, then each change: never from where a reader had been, since each is complete. */
  async *follow(signal: AbortSignal): AsyncGenerator<SseMessage, void> {
    const seq = await this.#events.lastSeq(ROUTES_STREAM);
    if (seq === 0) yield { id: '0', event: 'routes', data: NO_ROUTES };
    const after = Math.max(0, seq - 1);
    for await (const event of this.#events.follow({ stream: ROUTES_STREAM, after, signal }))
      yield { id: String(event.seq), event: 'routes', data: event.data };
  }
}

async function routesNow(reader: Reader): Promise<Route[]> {
  const rollouts = new Map((await listActiveRollouts(reader)).map((row) => [row.model_type, row]));
  const routes: Route[] = [];
  for (const champion of await listChampions(reader)) {
    const rollout = rollouts.get(champion.model_type);
    routes.push({
      model_type: champion.model_type,
      stable: { version: champion.version, digest: champion.digest },
      candidate: rollout === undefined ? null : await candidateOf(reader, rollout),
    });
  }
  return routes;
}

async function candidateOf(reader: Reader, rollout: DeploymentRow): Promise<Route['candidate']> {
  const version = await findVersion(reader, rollout.model_type, rollout.model_version);
  if (version === undefined) return null;
  return {
    version: version.version,
    digest: version.digest,
    deployment_id: rollout.deployment_id,
    salt: rollout.salt,
    weight: percentOf(rollout) / 100,
    step: rollout.step_index,
  };
}
