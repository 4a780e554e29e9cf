// J-Prime in this process or as a program of its own, beside a fixture Reactor Core, in a folder that goes afterwards.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type Health,
  healthSchema,
  type MakeRoom,
  type PredictResponse,
  predictResponseSchema,
  type PrimeResources,
  type Problem,
} from '@jarvis/contracts';
import { type Config, readConfig, silentLogger, systemClock, systemRandom } from '@jarvis/runtime';
import { freePort } from '@jarvis/testkit';
import { type AppOptions, type JPrime, startJPrime } from '../src/app.ts';
import type { LlmEngine } from '../src/llm/engine.ts';
import { FixtureReactor } from './fixture-reactor.ts';

const LOOK_INTERVAL_MS = 5;
const LOOKS_MAX = 4_000;
const MAIN = new URL('../src/main.ts', import.meta.url).pathname;

/** Waits until a condition holds; it says what it waited for when it never does. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let look = 0; look < LOOKS_MAX; look++) {
    if (await holds()) return;
    await delay(LOOK_INTERVAL_MS);
  }
  assert.fail(`waited in vain for: ${what}`);
}

export interface World {
  readonly folder: string;
  readonly reactor: FixtureReactor;
  readonly environment: Record<string, string>;
}

const undo: (() => Promise<unknown>)[] = [];
after(async () => {
  for (const step of undo.toReversed()) await step();
});

/** A home of its own and a Reactor Core that runs. */
export async function makeWorld(): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), 'jarvis-prime-'));
  const reactor = new FixtureReactor();
  await reactor.start();
  undo.push(
    () => rm(folder, { recursive: true, force: true }),
    () => reactor.stop(),
  );
  const environment = {
    JARVIS_HOME: folder,
    REACTOR_CORE_API_URL: reactor.url,
    EVIDENCE_FLUSH_INTERVAL: '0.02',
    REACTOR_API_RETRIES: '0',
  };
  return { folder, reactor, environment };
}

export type RunningPrime = Client & { stop(): Promise<void> };

export async function startPrime(
  world: World,
  engine: LlmEngine | null = null,
  threads: AppOptions['threads'] = {},
): Promise<RunningPrime> {
  const read = readConfig({ environment: world.environment, cwd: world.folder });
  assert.ok(read.ok);
  const config: Config = { ...read.config, env: { ...read.config.env, JARVIS_PRIME_PORT: 0 } };
  const logger = silentLogger();
  const prime: JPrime = await startJPrime({
    config,
    clock: systemClock,
    random: systemRandom,
    logger,
    createEngine: async () => engine,
    threads,
  });
  undo.push(() => prime.stop());
  const client = new Client(`http://127.0.0.1:${prime.port}`);
  return Object.assign(client, { stop: () => prime.stop() });
}

/** J-Prime as a child process; resolves once it answers. */
export async function spawnPrime(world: World): Promise<Client & { child: ChildProcess }> {
  const port = await freePort();
  const child = spawn(process.execPath, [MAIN], {
    cwd: world.folder,
    env: { ...world.environment, JARVIS_PRIME_PORT: String(port), JARVIS_LOG_LEVEL: 'error' },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  undo.push(async () => child.kill('SIGKILL'));
  const client = new Client(`http://127.0.0.1:${port}`);
  await until('J-Prime to answer', () =>
    client.health().then(
      () => true,
      () => false,
    ),
  );
  return Object.assign(client, { child });
}

export class Client {
  readonly url: string;
  constructor(url: string) {
    this.url = url;
  }

  async call(method: string, path: string, body?: unknown): Promise<{ status: number; body: unknown }> {
    const response = await fetch(this.url + path, {
      method,
      ...(body === undefined
        ? {}
        : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
    return { status: response.status, body: await response.json() };
  }

  async predict(text: string, session?: string): Promise<PredictResponse> {
    const { status, body } = await this.call('POST', '/api/predict/nlu', {
      input: { text },
      ...(session === undefined ? {} : { session_id: session }),
    });
    assert.equal(status, 200, JSON.stringify(body));
    return predictResponseSchema.parse(body);
  }

  async problem(path: string, body: unknown): Promise<Problem> {
    return (await this.call('POST', path, body)).body as Problem;
  }

  async health(): Promise<Health> {
    return healthSchema.parse((await this.call('GET', '/health')).body);
  }

  async resources(): Promise<PrimeResources> {
    return (await this.call('GET', '/api/resources')).body as PrimeResources;
  }

  async makeRoom(requestId: string, bytes = 1): Promise<MakeRoom> {
    const request = { request_id: requestId, bytes, by: '2999-01-01T00:00:00Z', why: 'a test' };
    return (await this.call('POST', '/api/memory/make-room', request)).body as MakeRoom;
  }

  /** Waits until this version answers as stable. */
  async serves(version: string): Promise<void> {
    await until(`${version} to serve`, async () => (await this.health()).models_deployed['nlu'] === version);
  }

  async waitForState(version: string, state: string): Promise<void> {
    await until(`${version} to be ${state}`, async () =>
      (await this.resources()).models.some((m) => m.version === version && m.state === state),
    );
  }
}
