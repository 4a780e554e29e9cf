// Waits for a condition and says what was waited for when it never comes; the limit is for hangs, not for speed.
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';

const LOOK_INTERVAL_MS = 10;
const LOOKS_MAX = 6_000;

export async function until(
  what: string | (() => string),
  holds: () => boolean | Promise<boolean>,
): Promise<void> {
  for (let look = 0; look < LOOKS_MAX; look += 1) {
    if (await holds()) return;
    await delay(LOOK_INTERVAL_MS);
  }
  assert.fail(`waited in vain for: ${typeof what === 'string' ? what : what()}`);
}
