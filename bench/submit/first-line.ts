// When a file has its first whole line.
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

const LOOK_EVERY_MS = 2;
const LIMIT_MS = 60_000;

/** Resolves with the time, on the monotonic clock. */
export async function untilFirstLine(path: string): Promise<number> {
  const giveUp = performance.now() + LIMIT_MS;
  for (;;) {
    const text = await readFile(path, 'utf8').catch(() => '');
    const now = performance.now();
    if (text.includes('\n')) return now;
    if (now > giveUp) throw new Error(`${path} had no line within ${LIMIT_MS} ms`);
    await sleep(LOOK_EVERY_MS);
  }
}
