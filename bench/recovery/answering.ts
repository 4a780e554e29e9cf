// Who answers /health, by pid.
import { setTimeout as sleep } from 'node:timers/promises';

const LOOK_EVERY_MS = 5;
const CALL_LIMIT_MS = 2_000;
const LIMIT_MS = 60_000;

/** Null when nobody does, or when it says that it is still starting. */
export async function pidOf(url: string): Promise<number | null> {
  try {
    const response = await fetch(`${url}/health`, {
      headers: { connection: 'close' },
      signal: AbortSignal.timeout(CALL_LIMIT_MS),
    });
    const { pid, status } = (await response.json()) as { pid: number; status: string };
    return status === 'starting' ? null : pid;
  } catch {
    return null;
  }
}

/** Resolves once another process than `old` answers, with its pid. */
export async function untilAnotherAnswers(url: string, old: number): Promise<number> {
  const giveUp = performance.now() + LIMIT_MS;
  for (;;) {
    const pid = await pidOf(url);
    if (pid !== null && pid !== old) return pid;
    if (performance.now() > giveUp) throw new Error(`${url} has not come back within ${LIMIT_MS} ms`);
    await sleep(LOOK_EVERY_MS);
  }
}
