// Waits longer than other tests: trainers are started, killed and resumed here, by hundreds.
import { until as untilWithin } from '@jarvis/testkit';

const LIMIT_MS = 60_000;

export async function until(
  what: string | (() => string),
  holds: () => boolean | Promise<boolean>,
): Promise<void> {
  await untilWithin(what, holds, LIMIT_MS);
}
