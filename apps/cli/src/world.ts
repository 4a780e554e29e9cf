// What every command gets: environment, streams, clock, chance.
import type { Clock, Random } from '@jarvis/runtime';

export interface World {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  /** Fires when nobody reads stdout any more. */
  readonly unread: AbortSignal;
  readonly clock: Clock;
  readonly random: Random;
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** One Ctrl-C may arrive twice, from the terminal and from the program that started this one; a person takes longer. */
const SAME_INTERRUPT_MS = 300;

export interface Interruption {
  readonly signal: AbortSignal;
  readonly release: () => void;
}

/** Fires at the first Ctrl-C, SIGTERM or end of the terminal, and when nobody reads stdout any more; `again` is called at each signal after that. */
export function untilInterrupted(
  { clock, unread }: Pick<World, 'clock' | 'unread'>,
  again: () => void,
): Interruption {
  const interrupted = new AbortController();
  let firstMs: number | null = null;
  const listener = (): void => {
    firstMs ??= clock.monotonic();
    if (interrupted.signal.aborted && clock.monotonic() - firstMs > SAME_INTERRUPT_MS) again();
    interrupted.abort();
  };
  for (const signal of SIGNALS) process.on(signal, listener);
  return {
    signal: AbortSignal.any([interrupted.signal, unread]),
    release: () => {
      for (const signal of SIGNALS) process.off(signal, listener);
    },
  };
}

/** A reader that has seen enough, and a terminal that is gone. */
const READER_GONE: readonly string[] = ['EPIPE', 'EIO'];

/** Without a listener, `| head` that has seen enough or a terminal that is gone would end the process with a trace, and leave what it started. */
export function whenUnread(stdout: NodeJS.WriteStream, stderr: NodeJS.WriteStream): AbortSignal {
  const unread = new AbortController();
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (!unread.signal.aborted && !READER_GONE.includes(error.code ?? '')) {
      stderr.write(`the output cannot be written: ${error.message}\n`);
      process.exitCode = 1;
    }
    unread.abort();
  });
  stderr.on('error', () => {}); // there is nowhere left to say it
  return unread.signal;
}
