// The engine of the fixture LLM server: starts it, or takes one that is there; every state is what the server says.
import { spawn } from 'node:child_process';
import { CodedError } from '@jarvis/contracts';
import { until } from '@jarvis/testkit';
import type { EngineLook, LlmEngine, ReleaseWay } from '../../src/llm/engine.ts';

const SERVER = new URL('./server.ts', import.meta.url).pathname;

interface State {
  readonly state: 'unloaded' | 'asleep' | 'ready';
  readonly running: number;
  readonly cancelled: number;
  readonly served: number;
  readonly written: number;
  readonly opened: number;
  readonly pid: number;
  readonly models: string[];
}

export interface FixtureEngineOptions {
  readonly port: number;
  readonly mib?: number;
  readonly ways?: readonly ReleaseWay[];
  /** Whether it says how many requests it works on. */
  readonly counts?: boolean;
  readonly apiKey?: string;
}

export class FixtureEngine implements LlmEngine {
  readonly name = 'fixture LLM';
  readonly ways: readonly ReleaseWay[];
  readonly cannot: string | null;
  readonly apiKey: string | null;
  readonly startsWhatIsAway = true;
  readonly url: string;
  /** Set, the next loads fail with it. */
  failsWith: string | null = null;
  /** While it is set, loads wait for it. */
  gate: Promise<void> | null = null;
  brought = 0;
  readonly #options: FixtureEngineOptions;

  constructor(options: FixtureEngineOptions) {
    this.#options = options;
    this.ways = options.ways ?? ['sleep', 'unload', 'stop'];
    this.cannot = this.ways.length === 0 ? 'the fixture keeps what it has' : null;
    this.apiKey = options.apiKey ?? null;
    this.url = `http://127.0.0.1:${options.port}`;
  }

  baseUrl(): string {
    return this.url;
  }

  async look(): Promise<EngineLook> {
    const seen = await this.state();
    const running = this.#options.counts === false ? null : (seen?.running ?? null);
    const detail = seen === null ? 'nobody answers' : `says ${seen.state}`;
    return { state: seen?.state ?? 'away', models: seen?.models ?? [], running, statedBytes: null, detail };
  }

  async release(way: ReleaseWay): Promise<void> {
    const pid = (await this.state())?.pid;
    if (way !== 'stop') return this.tell(way);
    await this.tell('exit').catch(() => undefined);
    await until('the fixture LLM to be gone', () => pid === undefined || !lives(pid));
  }

  async bring(signal: AbortSignal): Promise<void> {
    this.brought += 1;
    await this.gate;
    signal.throwIfAborted();
    if (this.failsWith !== null) throw new CodedError('llm_unavailable', this.failsWith);
    if ((await this.state()) === null) await startFixtureLlm(this.#options.port, this.#options.mib);
    await this.tell('load');
  }

  async pids(): Promise<readonly number[]> {
    const pid = (await this.state())?.pid;
    return pid === undefined ? [] : [pid];
  }

  /** The test ends it. */
  async close(): Promise<void> {}

  async state(): Promise<State | null> {
    const response = await fetch(`${this.url}/fixture/state`).catch(() => null);
    return response === null ? null : ((await response.json()) as State);
  }

  async tell(what: 'load' | 'sleep' | 'unload' | 'exit' | 'next'): Promise<void> {
    const response = await fetch(`${this.url}/fixture/${what}`, { method: 'POST' });
    await response.arrayBuffer();
  }
}

/** Resolves when it listens. It outlives this process: who starts it ends it, by its own call. */
export async function startFixtureLlm(port: number, mib = 64): Promise<void> {
  const child = spawn(process.execPath, ['--expose-gc', SERVER, String(port), String(mib)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  });
  await new Promise<void>((resolve, reject) => {
    child.stdout.once('data', () => resolve());
    child.once('exit', (code) => reject(new Error(`the fixture LLM ended with ${code}`)));
  });
  child.stdout.destroy();
  child.unref();
}

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
