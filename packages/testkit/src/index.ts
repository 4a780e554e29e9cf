// What tests share: a clock that is moved by hand, chance from a seed, folders that go away, waiting on conditions.
export * from './manual-clock.ts';
export * from './seeded-random.ts';
export * from './temp-folder.ts';
export * from './until.ts';
