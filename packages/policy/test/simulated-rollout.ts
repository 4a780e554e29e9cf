// A seeded rollout for the operating characteristics: sticky sessions that differ in how often they err, random traffic,
// the judge looking after every single request, which is the hardest case for a false alarm.
import { assignArm, observe, readGuards, sessionUnit, startJudge, type JudgeState } from '../src/index.ts';

/** mulberry32: a small seeded generator of numbers in [0, 1). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export interface SimulatedRollout {
  readonly seed: number;
  readonly sessions: number;
  readonly stableRate: number;
  readonly candidateRate: number;
  /** How unlike sessions are: 0 = all err alike; 1 = exponentially spread about the mean. */
  readonly spread: 0 | 1;
  readonly kind: 'failed' | 'corrected';
  readonly failureLimit: number;
  readonly alpha?: number;
  readonly weights?: readonly number[];
  readonly candidateRequestsPerStep?: number;
}

export interface SimulatedOutcome {
  readonly rolledBack: boolean;
  readonly guard: string | null;
  /** Candidate requests until then. */
  readonly candidateRequests: number;
  readonly judge: JudgeState;
}

const REQUESTS_PER_STEP_MAX = 20_000;

export function simulateRollout(options: SimulatedRollout): SimulatedOutcome {
  const { seed, sessions, failureLimit, alpha = 0.05, kind } = options;
  const { weights = [0.1, 0.25, 0.5, 0.75], candidateRequestsPerStep = 100 } = options;
  const random = seededRandom(seed);
  const factors = Array.from({ length: sessions }, () =>
    options.spread === 0 ? 1 : -Math.log(1 - random()),
  );
  const units = factors.map((_, i) => sessionUnit(`session-${i}`, `salt-${seed}`));
  const erred = new Set<number>();
  let judge = startJudge({ alpha, failureLimit });
  for (const [step, weight] of weights.entries()) {
    let inStep = 0;
    if (!units.some((unit) => assignArm(unit, weight) === 'candidate')) continue;
    for (let i = 0; i < REQUESTS_PER_STEP_MAX && inStep < candidateRequestsPerStep; i += 1) {
      const session = Math.floor(random() * sessions);
      const arm = assignArm(units[session] ?? 0, weight);
      if (arm === 'candidate') inStep += 1;
      judge = observe(judge, { kind: 'requests', arm, count: 1, step });
      const rate = arm === 'candidate' ? options.candidateRate : options.stableRate;
      if (random() >= Math.min(1, rate * (factors[session] ?? 1))) continue;
      judge = observe(judge, { kind, arm, weight, firstOfSession: !erred.has(session) });
      erred.add(session);
      const broken = readGuards(judge).find((guard) => guard.broken);
      if (broken !== undefined) {
        return {
          rolledBack: true,
          guard: broken.guard,
          candidateRequests: judge.requests.candidate,
          judge,
        };
      }
    }
  }
  return { rolledBack: false, guard: null, candidateRequests: judge.requests.candidate, judge };
}

/** Share of rollouts that were rolled back, and the median of candidate requests until then. */
export function summarise(
  runs: number,
  options: Omit<SimulatedRollout, 'seed'>,
): { rolledBack: number; medianRequests: number; guards: Record<string, number> } {
  const outcomes = Array.from({ length: runs }, (_, seed) => simulateRollout({ ...options, seed: seed + 1 }));
  const back = outcomes.filter((outcome) => outcome.rolledBack);
  const requests = back.map((outcome) => outcome.candidateRequests).toSorted((a, b) => a - b);
  const guards: Record<string, number> = {};
  for (const { guard } of back) guards[guard ?? ''] = (guards[guard ?? ''] ?? 0) + 1;
  return {
    rolledBack: back.length / runs,
    medianRequests: requests[Math.floor(requests.length / 2)] ?? Number.NaN,
    guards,
  };
}
