// Who trains next, and whether there is memory for it.
export * from './breaker.ts';
export * from './cycle.ts';
export * from './fit.ts';
export * from './order.ts';
export * from './snapshot.ts';
