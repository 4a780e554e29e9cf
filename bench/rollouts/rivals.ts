// How others would judge the same traffic: a fixed threshold in windows, and a test of fixed size looked at all the time.
import { ENVIRONMENT } from '@jarvis/contracts';
import type { Verdict } from './ours.ts';
import { STEPS, type Traffic } from './traffic.ts';

const WINDOW_REQUESTS = 20;
const WINDOWS = 20;
const BAD_WINDOWS = 3;
const SUCCESS_MIN = 0.95;
/** One-sided, alpha .05. */
export const Z_OF_ALPHA = 1.6449;
/** Before so many a rule of thumb forbids the test. */
const Z_REQUESTS_MIN = ENVIRONMENT.ROLLOUT_STEP_MIN_REQUESTS.default;

/** "Abort when 3 of 20 windows of 20 requests fall under 95 %", as analysis templates have it: of the last 20 windows. */
export function windows({ requests }: Traffic): Verdict {
  const bad: boolean[] = [];
  let [served, errors] = [0, 0];
  for (const { arm, erred } of requests) {
    if (arm !== 'candidate') continue;
    served += 1;
    if (erred) errors += 1;
    if (served % WINDOW_REQUESTS !== 0) continue;
    bad.push(1 - errors / WINDOW_REQUESTS < SUCCESS_MIN);
    errors = 0;
    if (bad.slice(-WINDOWS).filter(Boolean).length >= BAD_WINDOWS) return served;
  }
  return null;
}

/** Two proportions, pooled, one-sided, looked at after each request while both serve. */
export function zTest({ requests }: Traffic): Verdict {
  const n = { stable: 0, candidate: 0 };
  const errors = { stable: 0, candidate: 0 };
  for (const { arm, step, erred } of requests) {
    if (step === STEPS.length - 1) return null;
    n[arm] += 1;
    if (erred) errors[arm] += 1;
    if (n.candidate < Z_REQUESTS_MIN || n.stable < Z_REQUESTS_MIN) continue;
    const pooled = (errors.stable + errors.candidate) / (n.stable + n.candidate);
    const deviation = Math.sqrt(pooled * (1 - pooled) * (1 / n.stable + 1 / n.candidate));
    if (errors.candidate / n.candidate - errors.stable / n.stable > Z_OF_ALPHA * deviation)
      return n.candidate;
  }
  return null;
}
