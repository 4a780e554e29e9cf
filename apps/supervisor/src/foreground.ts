// The supervisor in a terminal: the first signal stops the services in order, the second kills them at once.
import type { Clock } from '@jarvis/runtime';
import type { EventEmitter } from 'node:events';
import type { Supervisor } from './supervisor.ts';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** One Ctrl-C may arrive twice, from the terminal and from the program that started this one; a person takes longer. */
const sameSignalMs = 300;

export interface ForegroundOptions {
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly signals?: Pick<EventEmitter, 'on' | 'off'>;
  /** Called when everything is about to be killed. */
  readonly onKill?: () => void;
}

/** Returns the exit code when everything is stopped: 0 after a stop that was asked for, 1 when the start failed or something is left. */
export async function runForeground(
  supervisor: Pick<Supervisor, 'stop' | 'kill' | 'done'>,
  { clock, signals = process, onKill }: ForegroundOptions,
): Promise<number> {
  let heard: { readonly firstMs: number; readonly killed: boolean } | null = null;
  // What goes wrong in stopping comes with `done`.
  const onSignal = () => {
    const nowMs = clock.monotonic();
    if (heard === null) {
      heard = { firstMs: nowMs, killed: false };
      void supervisor.stop();
    } else if (!heard.killed && nowMs - heard.firstMs > sameSignalMs) {
      heard = { ...heard, killed: true };
      onKill?.();
      void supervisor.kill();
    }
  };
  for (const signal of SIGNALS) signals.on(signal, onSignal);
  try {
    const { error, left } = await supervisor.done;
    return error === null && left.length === 0 ? 0 : 1;
  } finally {
    for (const signal of SIGNALS) signals.off(signal, onSignal);
  }
}
