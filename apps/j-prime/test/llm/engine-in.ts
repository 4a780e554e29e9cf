// The command engine in a folder of its own, with a real clock that a test can move on.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type Clock, silentLogger, systemClock, systemRandom } from '@jarvis/runtime';
import { afterwards, tempFolder } from '@jarvis/testkit';
import type { LlmEngine } from '../../src/llm/engine.ts';
import { type CommandEngineOptions, createCommandEngine } from '../../src/llm/own/command-engine.ts';

export type EngineChoices = Partial<CommandEngineOptions> & Pick<CommandEngineOptions, 'command'>;

export const never = new AbortController().signal;

export async function engineIn(folder: string, choices: EngineChoices): Promise<LlmEngine> {
  const logs = join(folder, 'logs');
  await mkdir(logs, { recursive: true });
  return await createCommandEngine({
    host: '127.0.0.1',
    env: process.env,
    cwd: folder,
    folder,
    logs,
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger(),
    ...choices,
  });
}

export interface EngineWorld {
  readonly folder: string;
  readonly engine: LlmEngine;
}

/** Closed when the test ends. */
export async function engineFor(t: TestContext, choices: EngineChoices): Promise<EngineWorld> {
  const folder = await tempFolder(t);
  const engine = await engineIn(folder, choices);
  afterwards(t, () => engine.close());
  return { folder, engine };
}

/** `command` and `args` of a command that is there in words. */
export function asCommand([command = '', ...args]: readonly string[]): { command: string; args: string[] } {
  return { command, args };
}

/** The real clock, and what it is moved on by. */
export class ShiftedClock implements Clock {
  #shiftMs = 0;

  now(): number {
    return systemClock.now() + this.#shiftMs;
  }

  monotonic(): number {
    return systemClock.monotonic() + this.#shiftMs;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return systemClock.sleep(ms, signal);
  }

  moveOn(ms: number): void {
    this.#shiftMs += ms;
  }
}
