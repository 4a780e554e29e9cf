// What tests share: a clock that is moved by hand, chance from a seed, folders that go away, waiting on conditions, both
// engines of the store.
export * from './afterwards.ts';
export * from './manual-clock.ts';
export * from './postgres-server.ts';
export * from './seeded-random.ts';
export * from './store-engines.ts';
export * from './temp-folder.ts';
export * from './until.ts';
