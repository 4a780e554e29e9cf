// What tests share: a clock that is moved by hand, chance from a seed, folders that go away, ports that are free, waiting
// on conditions, a server that comes back, both engines of the store.
export * from './afterwards.ts';
export * from './exited.ts';
export * from './free-ports.ts';
export * from './llm/command.ts';
export * from './llm/servers/index.ts';
export * from './llm/tiny-gguf.ts';
export * from './machine.ts';
export * from './manual-clock.ts';
export * from './postgres-server.ts';
export * from './returning-server.ts';
export * from './seeded-random.ts';
export * from './store-engines.ts';
export * from './temp-folder.ts';
export * from './until.ts';
export * from './samples.ts';
