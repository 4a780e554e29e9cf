// Time as the waiting parts of this package take it: durations only, always monotonic.
import { setTimeout as delay } from 'node:timers/promises';

export interface Timing {
  /** Milliseconds since an arbitrary point; never goes back. */
  monotonicMs(): number;
  /** Ends after `ms`, or at once when `signal` is aborted; it never throws. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemTiming: Timing = {
  monotonicMs: () => performance.now(),
  async sleep(ms, signal) {
    try {
      await delay(ms, undefined, signal === undefined ? {} : { signal });
    } catch (error) {
      if (signal?.aborted !== true) throw error;
    }
  },
};
