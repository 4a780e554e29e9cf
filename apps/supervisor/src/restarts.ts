// When a service that fell is started again, and when it is given up.

export interface RestartLimits {
  readonly limit: number;
  readonly windowMs: number;
  readonly baseDelayMs: number;
}

export type RestartDecision =
  | { readonly kind: 'restart'; readonly delayMs: number }
  | { readonly kind: 'give_up'; readonly restarts: number };

/** Longer than this nobody wants to wait for a service that might work again. */
const restartDelayMsMax = 30_000;

/** Decides by the times of the restarts so far (monotonic). The delay doubles with each one in the window; `random` (0 to 1) spreads it over its upper half. */
export function decideRestart(
  restartedAtMs: readonly number[],
  nowMs: number,
  limits: RestartLimits,
  random: number,
): RestartDecision {
  const recent = restartedAtMs.filter((at) => nowMs - at < limits.windowMs).length;
  if (recent >= limits.limit) return { kind: 'give_up', restarts: recent };
  const full = Math.min(restartDelayMsMax, limits.baseDelayMs * 2 ** recent);
  return { kind: 'restart', delayMs: full * (0.5 + random / 2) };
}
