// What every service stands on: clock, random, configuration, logs, HTTP shell, events, calls, one start and stop.
export * from './clock.ts';
export * from './config.ts';
export * from './download.ts';
export * from './file-audit.ts';
export type * from './http-server.ts';
export * from './http-shell.ts';
export { type HeldLock, holdLock, type HoldLockOptions, type Release } from './locks/hold-lock.ts';
export * from './logger.ts';
export * from './loop.ts';
export * from './metrics/meter.ts';
export * from './metrics/outbox-metrics.ts';
export * from './metrics/peer-metrics.ts';
export * from './metrics/store-metrics.ts';
export * from './problem.ts';
export * from './random.ts';
export * from './service-client.ts';
export * from './service.ts';
export * from './sse.ts';
