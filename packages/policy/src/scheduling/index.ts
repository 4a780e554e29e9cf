// Who trains next, and whether there is memory for it.
export * from './breaker.ts';
export * from './cycle.ts';
export * from './fit.ts';
export * from './hold.ts';
export * from './need.ts';
export * from './window.ts';
export * from './order.ts';
export * from './snapshot.ts';
