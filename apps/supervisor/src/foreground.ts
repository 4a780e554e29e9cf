// The supervisor in a terminal: the first signal stops the services in order, the second kills them at once.
import type { EventEmitter } from 'node:events';
import type { Supervisor } from './supervisor.ts';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Returns the exit code when everything is stopped: 0 after a stop that was asked for, 1 when the start failed or something is left. */
export async function runForeground(
  supervisor: Pick<Supervisor, 'stop' | 'kill' | 'done'>,
  signals: Pick<EventEmitter, 'on' | 'off'> = process,
): Promise<number> {
  let heard = 0;
  const onSignal = () => {
    heard++;
    // What goes wrong in stopping comes with `done`.
    if (heard === 1) void supervisor.stop();
    else if (heard === 2) void supervisor.kill();
  };
  for (const signal of SIGNALS) signals.on(signal, onSignal);
  try {
    const { error, left } = await supervisor.done;
    return error === null && left.length === 0 ? 0 : 1;
  } finally {
    for (const signal of SIGNALS) signals.off(signal, onSignal);
  }
}
