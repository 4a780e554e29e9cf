// The traffic of one simulated rollout: sticky sessions that differ in how often they err, asking at random. Every judge
// watches the same requests, as if nobody ended the rollout.
import { type Arm, ENVIRONMENT } from '@jarvis/contracts';
import { assignArm, planSteps, sessionUnit } from '@jarvis/policy';

/** Weights in percent: those of a gradual rollout whose settings nobody touched. */
export const { steps: STEPS } = planSteps({
  strategy: 'gradual_rollout',
  steps: ENVIRONMENT.ROLLOUT_STEPS.default,
  initialPercentage: ENVIRONMENT.AB_TEST_INITIAL_PERCENTAGE.default,
  initialIsAsked: false,
  gradual: true,
});
/** Candidate requests of a step: what its time is enough for. */
export const STEP_REQUESTS = 100;
/** A single session of a hundred that meets the candidate takes 10,000 requests to the end of the first step. */
const REQUESTS_MAX = 200_000;

/** Numbers in [0, 1), one after the other. */
export interface Chance {
  unit(): number;
}

/** How often the answer is an error, on average over all sessions. */
export interface Rates {
  readonly stable: number;
  readonly candidate: number;
}

export interface Request {
  readonly arm: Arm;
  /** Of the plan, from 0. */
  readonly step: number;
  readonly session: number;
  readonly erred: boolean;
}

export interface Traffic {
  readonly requests: readonly Request[];
  readonly sessions: number;
}

/** Where the sessions of a rollout lie in [0, 1), by the hash that assigns them. */
export function placesOf(rollout: number, sessions: number): number[] {
  return Array.from({ length: sessions }, (_, i) => sessionUnit(`session-${i}`, `rollout-${rollout}`));
}

/** Whether any session meets the candidate in the first step. Where none does, the rollout holds there for ever. */
export function isMet(places: readonly number[]): boolean {
  return places.some((place) => assignArm(place, weightOf(0)) === 'candidate');
}

/** The candidate's share, 0 to 1, in a step. */
export function weightOf(step: number): number {
  return (STEPS[step] ?? 100) / 100;
}

/** Requests of sessions that come back, to the end of the last step. They have to meet the candidate: `isMet`. */
export function stickyTraffic(places: readonly number[], rates: Rates, random: Chance): Traffic {
  const erring = places.map(() => erringOf(rates, random));
  const requests = steppedThrough((step) => {
    const session = Math.floor(random.unit() * places.length);
    const arm = assignArm(places[session] ?? 0, weightOf(step));
    return { arm, step, session, erred: random.unit() < (erring[session]?.[arm] ?? 0) };
  });
  return { requests, sessions: places.length };
}

/** Each request is a session of its own: drawn, not hashed. */
export function passingTraffic(rates: Rates, random: Chance): Traffic {
  let sessions = 0;
  const requests = steppedThrough((step) => {
    const arm = assignArm(random.unit(), weightOf(step));
    return { arm, step, session: sessions++, erred: random.unit() < rates[arm] };
  });
  return { requests, sessions };
}

function steppedThrough(next: (step: number) => Request): Request[] {
  const requests: Request[] = [];
  for (const step of STEPS.keys()) {
    for (let served = 0; served < STEP_REQUESTS;) {
      if (requests.length >= REQUESTS_MAX) throw new Error('hardly anybody meets the candidate');
      const request = next(step);
      requests.push(request);
      if (request.arm === 'candidate') served += 1;
    }
  }
  return requests;
}

/**
 * How often one session meets errors. The candidate makes those of the stable version, and errors of its own on top: so
 * it is the very same for each session where both rates are, and nowhere better.
 */
function erringOf({ stable, candidate }: Rates, random: Chance): Rates {
  const shared = spread(stable, random.unit());
  const own = spread((candidate - stable) / (1 - stable), random.unit());
  return { stable: shared, candidate: 1 - (1 - shared) * (1 - own) };
}

/** Beta(1, 1/mean - 1): sessions as unlike as an exponential spread makes them. Its quantile at `unit`. */
function spread(mean: number, unit: number): number {
  return mean <= 0 ? 0 : 1 - (1 - unit) ** (mean / (1 - mean));
}
