// Pure decisions: queue order, memory fit, rollout verdicts, sticky assignment, retention, backoff.
export * from './scheduling/index.ts';
