// The engine of a server that is there already, at a fixture of it.
import type { LlmServerKind } from '@jarvis/contracts';
import { silentLogger, systemClock } from '@jarvis/runtime';
import { afterwards, type ModelServer } from '@jarvis/testkit';
import type { TestContext } from 'node:test';
import { type AlreadyEngineOptions, createAlreadyEngine } from '../../../src/llm/already/already-engine.ts';
import type { LlmEngine } from '../../../src/llm/engine.ts';

export const never = new AbortController().signal;
/** Far more than a fixture takes to answer, on a machine that has better things to do. */
const LOOK_LIMIT_MS = 10_000;

export async function started<S extends ModelServer>(t: TestContext, server: S): Promise<S> {
  await server.start();
  afterwards(t, () => server.stop());
  return server;
}

export function engineAt(
  server: ModelServer,
  kind: LlmServerKind | null = null,
  options: Partial<AlreadyEngineOptions> = {},
): Promise<LlmEngine> {
  return createAlreadyEngine({
    url: server.url,
    kind,
    apiKey: null,
    isMemoryUnified: false,
    clock: systemClock,
    logger: silentLogger(),
    ...options,
    calls: { lookLimitMs: LOOK_LIMIT_MS, eventLimitMs: LOOK_LIMIT_MS, ...options.calls },
  });
}
