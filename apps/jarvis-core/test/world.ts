// JARVIS Core in this process or as a program of its own, between a fixture J-Prime and a fixture Reactor Core, in a
// home that goes afterwards.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type Config, readConfig, silentLogger, systemClock, systemRandom } from '@jarvis/runtime';
import { exited, freePort, until } from '@jarvis/testkit';
import { startJarvisCore } from '../src/app.ts';
import { Client } from './client.ts';
import { FixturePrime } from './fixture-prime.ts';
import { FixtureReactor } from './fixture-reactor.ts';

const MAIN = new URL('../src/main.ts', import.meta.url).pathname;
const START_TRIES_MAX = 3;

type Variables = Readonly<Record<string, string>>;

export interface World {
  readonly folder: string;
  readonly prime: FixturePrime;
  readonly reactor: FixtureReactor;
  readonly environment: Variables;
  /** What has to be undone when the test ends, last first. */
  readonly undo: (() => Promise<unknown>)[];
}

export async function makeWorld(t: TestContext, environment: Variables = {}): Promise<World> {
  const undo: World['undo'] = [];
  t.after(async () => {
    for (const step of undo.toReversed()) await step();
  });
  const folder = await mkdtemp(join(tmpdir(), 'jarvis-core-'));
  undo.push(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }));
  const prime = new FixturePrime();
  const reactor = new FixtureReactor();
  for (const service of [prime, reactor]) {
    await service.start();
    undo.push(() => service.stop());
  }
  return {
    folder,
    prime,
    reactor,
    undo,
    environment: {
      JARVIS_HOME: folder,
      JARVIS_PRIME_API_URL: prime.url,
      REACTOR_CORE_API_URL: reactor.url,
      REACTOR_API_RETRIES: '0',
      RESOURCE_CHECK_INTERVAL: '0.1',
      EVIDENCE_FLUSH_INTERVAL: '0.02',
      // More than any machine has: what is measured on the machine of the test decides nothing.
      MAX_TOTAL_MEMORY_GB: '100000',
      TRAINING_BASELINE_ENABLED: 'false',
      TRAINING_AUTO_TRIGGER_ENABLED: 'false',
      ...environment,
    },
  };
}

export type RunningCore = Client & { stop(): Promise<void> };

/** In this process: quick to start, and stopped by `stop`. `cron`: a schedule with seconds, which the configuration does not allow. */
export async function startCore(
  world: World,
  environment: Variables = {},
  cron?: string,
): Promise<RunningCore> {
  for (let tries = 1; ; tries += 1) {
    const port = environment['JARVIS_PORT'] ?? String(await freePort());
    const variables: Variables = { ...world.environment, ...environment, JARVIS_PORT: port };
    const read = readConfig({ environment: variables, cwd: world.folder });
    assert.ok(read.ok, JSON.stringify(read));
    try {
      const service = await startJarvisCore({
        config: cron === undefined ? read.config : withSchedule(read.config, cron),
        clock: systemClock,
        random: systemRandom,
        logger: silentLogger(),
      });
      world.undo.push(() => service.stop());
      const client = new Client(`http://127.0.0.1:${port}`, variables['JARVIS_API_TOKEN'] ?? null);
      return Object.assign(client, { stop: () => service.stop() });
    } catch (error) {
      // Another program may have taken the port since.
      if (tries === START_TRIES_MAX || !/is taken/.test((error as Error).message)) throw error;
    }
  }
}

function withSchedule(config: Config, cron: string): Config {
  return { ...config, env: { ...config.env, TRAINING_CRON_SCHEDULE: cron } };
}

export interface CoreProcess extends Client {
  readonly child: ChildProcess;
  /** All that it wrote. */
  output(): string;
  kill(): Promise<void>;
}

/** As a program of its own; resolves once it answers. */
export async function spawnCore(world: World, environment: Variables = {}): Promise<CoreProcess> {
  const given: Variables = { ...world.environment, ...environment };
  const port = given['JARVIS_PORT'] ?? String(await freePort());
  const variables: Variables = { ...given, JARVIS_PORT: port };
  const child = spawn(process.execPath, [MAIN], {
    cwd: world.folder,
    env: variables,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const chunks: Buffer[] = [];
  for (const pipe of [child.stdout, child.stderr]) pipe.on('data', (chunk: Buffer) => chunks.push(chunk));
  const output = (): string => Buffer.concat(chunks).toString('utf8');
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await exited(child);
  };
  world.undo.push(kill);
  const client = new Client(`http://127.0.0.1:${port}`, variables['JARVIS_API_TOKEN'] ?? null);
  await until('JARVIS Core to answer', () => {
    assert.equal(child.exitCode, null, output());
    return client.health().then(
      () => true,
      () => false,
    );
  });
  return Object.assign(client, { child, output, kill });
}
