// What benches need of J-Prime: to start it in front of an LLM server of theirs.
export { type AppOptions, type JPrime, startJPrime } from './app.ts';
export type { EngineLook, LlmEngine } from './llm/engine.ts';
