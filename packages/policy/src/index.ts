export * from './scheduling/index.ts';
// Pure decisions: no I/O, no clock, no random, no environment. What is decided here is done elsewhere.
export * from './rollout/e-value.ts';
export * from './rollout/error-share.ts';
export * from './rollout/failure-limit.ts';
export * from './rollout/paired.ts';
export * from './rollout/gate.ts';
export * from './rollout/holdout.ts';
export * from './rollout/confidence.ts';
export * from './rollout/assignment.ts';
export * from './rollout/alpha.ts';
export * from './rollout/judge.ts';
export * from './rollout/plan.ts';
export * from './rollout/engine.ts';
export * from './versioning.ts';
export * from './backoff.ts';
export * from './retention.ts';
export * from './invariants.ts';
