// A periodic duty: runs at an interval or when woken, never twice at once, survives its own errors, stops cleanly.
import type { Clock } from './clock.ts';
import type { Logger } from './logger.ts';

export interface Loop {
  /** Runs the duty soon, also while it runs now. */
  wake(): void;
  /** Waits for the run under way. Idempotent. */
  stop(): Promise<void>;
}

export interface LoopOptions {
  readonly name: string;
  readonly intervalMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly run: (signal: AbortSignal) => Promise<void>;
}

export function startLoop(options: LoopOptions): Loop {
  const { name, intervalMs, clock, logger, run } = options;
  const stopping = new AbortController();
  let woken = false;
  let waiting = new AbortController();
  let failing = false;

  const done = (async () => {
    while (!stopping.signal.aborted) {
      woken = false;
      try {
        await run(stopping.signal);
        if (failing) logger.info({ loop: name }, 'works again');
        failing = false;
      } catch (error) {
        if (!failing) logger.error({ loop: name, err: error }, 'failed; trying again at each interval');
        failing = true;
      }
      if (woken || stopping.signal.aborted) continue;
      waiting = new AbortController();
      await clock.sleep(intervalMs, waiting.signal);
    }
  })();

  return {
    wake: () => {
      woken = true;
      waiting.abort();
    },
    stop: async () => {
      stopping.abort();
      waiting.abort();
      await done;
    },
  };
}
