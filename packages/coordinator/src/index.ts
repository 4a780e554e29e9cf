// The training coordinator; run by JARVIS Core over its store, and by the simulator over a simulated one.
export * from './coordinator.ts';
export * from './ports.ts';
export type { RetryRules } from './run-events.ts';
