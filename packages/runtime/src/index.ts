// What every service stands on: clock, random, configuration, logs, HTTP shell, events, calls, one start and stop.
export * from './clock.ts';
export * from './config.ts';
export * from './download.ts';
export type * from './http-server.ts';
export * from './http-shell.ts';
export * from './logger.ts';
export * from './loop.ts';
export * from './problem.ts';
export * from './random.ts';
export * from './service-client.ts';
export * from './service.ts';
export * from './sse.ts';
export * from './sync-folder.ts';
