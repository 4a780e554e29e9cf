// What every command gets: environment, streams, clock, chance.
import type { Clock, Random } from '@jarvis/runtime';

export interface World {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  readonly clock: Clock;
  readonly random: Random;
}

/** Fires at the first Ctrl-C or SIGTERM; `again` is called at each one after that. */
export function untilInterrupted(again: () => void): { signal: AbortSignal; release: () => void } {
  const interrupted = new AbortController();
  const listener = (): void => {
    if (interrupted.signal.aborted) again();
    interrupted.abort();
  };
  process.on('SIGINT', listener).on('SIGTERM', listener);
  return {
    signal: interrupted.signal,
    release: () => {
      process.off('SIGINT', listener).off('SIGTERM', listener);
    },
  };
}
