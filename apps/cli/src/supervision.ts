// What the supervisor is started with, from a configuration and this process.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import type { Config } from '@jarvis/runtime';
import type { SupervisorOptions } from '@jarvis/supervisor';
import type { World } from './world.ts';

export function supervisorOptions(
  config: Config,
  world: World,
  writeError: (text: string) => void,
): SupervisorOptions {
  const { clock, random } = world;
  return {
    environment: config.env,
    home: config.home,
    processEnv: serviceEnvironment(config, world),
    fetch,
    clock,
    cwd: world.cwd,
    random: () => random.unit(),
    newId: () => random.id('home').slice('home-'.length),
    writeError,
    pid: process.pid,
    execPath: process.execPath,
  };
}

/** The services are started elsewhere: .env goes along, and relative paths are made absolute. */
export function serviceEnvironment(config: Config, world: World): Record<string, string | undefined> {
  const dotEnv = join(world.cwd, '.env');
  const { paths } = config;
  return {
    ...(existsSync(dotEnv) ? parseEnv(readFileSync(dotEnv, 'utf8')) : {}),
    ...Object.fromEntries(Object.entries(world.environment).filter(([, value]) => value !== '')),
    TRAINING_CHECKPOINT_DIR: paths.runs,
    MODEL_REGISTRY_DIR: paths.registry,
    EXPERIENCE_DIR: paths.drop,
    TRAINING_DATA_DIR: paths.data,
    NLU_SEED_PATH: paths.nluSeed,
  };
}
