// Work with a limit of time.
import type { Clock } from '@jarvis/runtime';

/** Does `work` with a signal that fires when its time is over, or with `outer`. */
export async function within<T>(
  ms: number,
  clock: Clock,
  outer: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const done = new AbortController();
  const over = new AbortController();
  void clock.sleep(ms, done.signal).then(() => {
    if (!done.signal.aborted) over.abort(new Error(`it took longer than ${ms / 1000} s`));
  });
  try {
    return await work(AbortSignal.any([over.signal, outer]));
  } finally {
    done.abort();
  }
}
