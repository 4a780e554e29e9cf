// J-Prime with a fixture LLM server, which is a process of its own, and a fixture JARVIS Core that gives out memory.
import type { MakeRoom, NegotiationPolicy } from '@jarvis/contracts';
import { afterwards, freePort, until } from '@jarvis/testkit';
import type { TestContext } from 'node:test';
import { FixtureCore } from './fixture-core.ts';
import { FixtureEngine, type FixtureEngineOptions } from './fixture-llm/engine.ts';
import { makeWorld, type RunningPrime, startPrime, type World } from './harness.ts';

export interface LlmWorld extends World {
  readonly core: FixtureCore;
  readonly engine: FixtureEngine;
  start(): Promise<RunningPrime>;
}

export async function makeLlmWorld(
  t: TestContext,
  environment: Record<string, string> = {},
  options: Partial<FixtureEngineOptions> = {},
): Promise<LlmWorld> {
  const world = await makeWorld();
  const core = new FixtureCore();
  await core.start();
  const engine = new FixtureEngine({ port: await freePort(), ...options });
  afterwards(t, () => core.stop());
  afterwards(t, () => engine.tell('exit').catch(() => undefined));
  const all = { ...world.environment, JARVIS_CORE_API_URL: core.url, JPRIME_LLM_WAIT: '20', ...environment };
  const llmWorld = { ...world, environment: all };
  const start = async (): Promise<RunningPrime> => {
    const prime = await startPrime(llmWorld, engine);
    afterwards(t, () => prime.stop());
    return prime;
  };
  return { ...llmWorld, core, engine, start };
}

export function post(prime: { url: string }, body: unknown, init: RequestInit = {}): Promise<Response> {
  return fetch(`${prime.url}/v1/chat/completions`, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json' },
    ...init,
  });
}

export interface RoomAsk {
  readonly bytes?: number;
  readonly by?: string;
  readonly policy?: NegotiationPolicy;
}

export async function makeRoom(prime: RunningPrime, id: string, ask: RoomAsk = {}): Promise<MakeRoom> {
  const request = { request_id: id, bytes: 1, by: '2999-01-01T00:00:00Z', why: 'a test', ...ask };
  return (await prime.call('POST', '/api/memory/make-room', request)).body as MakeRoom;
}

/** As `makeRoom`, waited for to its end. */
export async function roomMade(prime: RunningPrime, id: string, ask: RoomAsk = {}): Promise<MakeRoom> {
  return until(`room for ${id}`, async () => {
    const answer = await makeRoom(prime, id, ask);
    return answer.state === 'draining' ? null : answer;
  });
}
