// The end of serving: what is under way is answered, what comes now is sent away with a reason.
import { CodedError } from '@jarvis/contracts';
import type { Clock, HttpServer } from '@jarvis/runtime';

/** Predictions take milliseconds; whoever reads an answer slower than this is cut off. */
const DRAIN_LIMIT_MS = 5_000;

export interface RequestGate {
  /** Resolves once the last request was answered. */
  close(): Promise<void>;
}

export function addRequestGate(server: HttpServer, clock: Clock): RequestGate {
  let running = 0;
  let closed = false;
  const drained = Promise.withResolvers<void>();
  server.addHook('onRequest', async (_req, reply) => {
    running += 1;
    reply.raw.once('close', () => {
      running -= 1;
      if (closed && running === 0) drained.resolve();
    });
    if (closed)
      throw new CodedError('service_unavailable', 'J-Prime is stopping', { retry_after_seconds: 1 });
  });
  return {
    close: async () => {
      closed = true;
      if (running === 0) return;
      const limit = new AbortController();
      await Promise.race([drained.promise, clock.sleep(DRAIN_LIMIT_MS, limit.signal)]);
      limit.abort();
    },
  };
}
