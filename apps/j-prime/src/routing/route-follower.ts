// Follows Reactor Core's routes for as long as this process lives. The first snapshot of a connection always counts: a
// Reactor Core that was set up anew starts its revisions anew. Within a connection revisions only grow.
import { type Routes, routesSchema } from '@jarvis/contracts';
import { backoffMs } from '@jarvis/policy';
import { type Clock, isoNow, type Logger, type Random, readSse } from '@jarvis/runtime';

const RECONNECT_DELAY_FIRST_MS = 100;
const RECONNECT_DELAY_MAX_MS = 2_000;

export interface RouteFollowerOptions {
  readonly url: string;
  readonly token: string | null;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly onRoutes: (routes: Routes) => Promise<void>;
}

export interface RouteFollower {
  /** Whether the stream of routes is there, and since when that is so. */
  reachability(): { reachable: boolean; detail: string; since: string };
  stop(): Promise<void>;
}

export function followRoutes(options: RouteFollowerOptions): RouteFollower {
  const { clock, random, logger } = options;
  const stopping = new AbortController();
  let state = { reachable: false, detail: 'has not answered yet', since: isoNow(clock) };
  const become = (reachable: boolean, detail: string): void => {
    state = { reachable, detail, since: reachable === state.reachable ? state.since : isoNow(clock) };
  };

  async function followOnce(onAlive: () => void): Promise<void> {
    const { url, token } = options;
    let revision = -1;
    for await (const event of readSse({ url, token, lastEventId: null, signal: stopping.signal })) {
      if (event.event !== 'routes') continue;
      const routes = routesSchema.parse(event.data);
      onAlive();
      if (routes.revision <= revision) continue;
      revision = routes.revision;
      await options.onRoutes(routes);
    }
  }

  async function followAlways(): Promise<void> {
    let attempt = 0;
    while (!stopping.signal.aborted) {
      let detail = 'ended the stream of routes';
      try {
        await followOnce(() => {
          if (!state.reachable) logger.info('connected to Reactor Core');
          become(true, 'follows the routes');
          attempt = 0;
        });
      } catch (error) {
        detail = (error as Error).message;
      }
      if (stopping.signal.aborted) return;
      if (state.reachable) logger.warn({ detail }, 'lost Reactor Core; serving goes on with the last routes');
      become(false, detail);
      const wait = { baseMs: RECONNECT_DELAY_FIRST_MS, maxMs: RECONNECT_DELAY_MAX_MS, unit: random.unit() };
      await clock.sleep(backoffMs({ ...wait, attempt }), stopping.signal);
      attempt += 1;
    }
  }

  const done = followAlways();
  return {
    reachability: () => state,
    stop: async () => {
      stopping.abort();
      await done;
    },
  };
}
