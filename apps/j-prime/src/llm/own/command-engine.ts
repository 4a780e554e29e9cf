// An LLM server that J-Prime runs itself: any command that speaks in the manner of OpenAI and says when it is ready.
//
//   nothing -> loading -> ready -> leaving -> nothing        loading, ready: it ends by itself -> nothing
//
// One inbox: starts, stops and burials follow each other. `release` and `close` call off a start that is under way.
import { createHash } from 'node:crypto';
import { basename, join } from 'node:path';
import { CodedError, invariant } from '@jarvis/contracts';
import { rotateIfLarge, splitWords } from '@jarvis/process';
import { type Clock, type Logger, type Loop, type Random, startLoop } from '@jarvis/runtime';
import { Serial } from '@jarvis/store';
import type { EngineLook, LlmEngine, ReleaseWay } from '../engine.ts';
import { adoptChild, type Child, lastLines, startChild, stopChild, sweepAfter } from './child.ts';
import { withoutSecrets } from './child-environment.ts';
import { DEATH_LIMITS, type DeathLimits, Deaths } from './deaths.ts';
import { type Answer, listModels, probe } from './health-probe.ts';
import { type LlmOwner, readOwner, removeOwner } from './owner-file.ts';
import { freePort, mustBeFree } from './ports.ts';

export interface EngineLimits {
  /** A large model from a slow disk takes minutes. */
  readonly startMs: number;
  /** Between SIGTERM and SIGKILL. */
  readonly stopGraceMs: number;
  readonly logBytesMax: number;
  readonly logFilesKept: number;
  readonly deaths: DeathLimits;
}

export interface CommandEngineOptions {
  /** With `args` the program as it is; without, a command line. `{port}` in it becomes the port. */
  readonly command: string;
  readonly args?: readonly string[];
  /** A port that the command has by itself; null: a free one, which it learns by `{port}` or PORT. */
  readonly port?: number | null;
  readonly host: string;
  /** 200: ready; 503: it loads; 404: `/v1/models` is asked instead. */
  readonly healthPath?: string;
  /** What it gets, without what is secret in it. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** J-Prime's own: where it writes down which process is the server. */
  readonly folder: string;
  /** Where `llm.log` lies. */
  readonly logs: string;
  /** For a person. */
  readonly name?: string;
  /** Looks, before a start, for what would keep it from succeeding; a sentence, or null. */
  readonly obstacle?: () => Promise<string | null>;
  readonly limits?: Partial<EngineLimits>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly fetch?: typeof fetch;
}

const ENGINE_LIMITS: EngineLimits = {
  startMs: 300_000,
  stopGraceMs: 5000,
  logBytesMax: 16 * 1024 ** 2,
  logFilesKept: 3,
  deaths: DEATH_LIMITS,
};
const HEALTH_PATH = '/health';
const OWNER_FILE = 'llm-owner.json';
const LOG_FILE = 'llm.log';
/** A program in a tight loop writes some 100 MB in that time. */
const LOG_CHECK_INTERVAL_MS = 5000;
/** Most of a short start is the program's own; a long one is not looked at more often than a person could tell. */
const READY_POLL_MS = 25;
const READY_POLL_SLOW_MS = 250;
const READY_POLL_QUICK_FOR_MS = 3000;
/** One late answer is a busy server; three in a row are one that hangs. */
const MISSED_LOOKS_MAX = 3;

type Life =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'loading'; readonly child: Child }
  | {
      readonly kind: 'ready';
      readonly child: Child;
      readonly sinceMs: number;
      readonly models: readonly string[];
    }
  /** It is being stopped, or would not end. */
  | { readonly kind: 'leaving'; readonly child: Child };

type Waited =
  | { readonly kind: 'ready' }
  | { readonly kind: 'ended' | 'late' | 'called off'; readonly why: string };

/** Takes over a server that an earlier J-Prime left, or stops it when the command has changed since. */
export async function createCommandEngine(options: CommandEngineOptions): Promise<LlmEngine> {
  const engine = new CommandEngine(options);
  await engine.adopt();
  return engine;
}

class CommandEngine implements LlmEngine {
  readonly name: string;
  readonly ways: readonly ReleaseWay[] = ['stop'];
  readonly cannot = null;
  readonly apiKey = null;
  readonly startsWhatIsAway = true;
  readonly #options: CommandEngineOptions;
  readonly #limits: EngineLimits;
  readonly #words: readonly string[];
  readonly #fingerprint: string;
  readonly #ownerPath: string;
  readonly #logPath: string;
  readonly #deaths: Deaths;
  readonly #inbox = new Serial('calls of the LLM server');
  readonly #rotation: Loop;
  #life: Life = { kind: 'nothing' };
  #missedLooks = 0;
  #halt = new AbortController();
  #closing: Promise<void> | undefined;

  constructor(options: CommandEngineOptions) {
    this.#options = options;
    this.#limits = { ...ENGINE_LIMITS, ...options.limits };
    this.#words =
      options.args === undefined ? splitWords(options.command) : [options.command, ...options.args];
    this.name = options.name ?? `${basename(this.#words[0] ?? '')} (JPRIME_LLM_COMMAND)`;
    const identity = JSON.stringify([this.#words, options.host, options.port ?? null]);
    this.#fingerprint = createHash('sha256').update(identity).digest('hex');
    this.#ownerPath = join(options.folder, OWNER_FILE);
    this.#logPath = join(options.logs, LOG_FILE);
    this.#deaths = new Deaths(this.#limits.deaths);
    const { clock, logger } = options;
    this.#rotation = startLoop({
      name: 'rotation of the log of the LLM server',
      intervalMs: LOG_CHECK_INTERVAL_MS,
      clock,
      logger,
      run: () => this.#rotateLog(),
    });
  }

  baseUrl(): string | null {
    return this.#life.kind === 'ready' ? this.#urlOf(this.#life.child) : null;
  }

  async pids(): Promise<readonly number[]> {
    return this.#life.kind === 'nothing' ? [] : [this.#life.child.pid];
  }

  async look(signal: AbortSignal): Promise<EngineLook> {
    const life = this.#life;
    if (life.kind === 'nothing') return await this.#lookAtNothing();
    const { child } = life;
    if (life.kind === 'leaving')
      return looked('away', `process ${child.pid} is being stopped, or does not end`);
    const answer = await this.#probe(child, signal);
    if (this.#life !== life) return await this.look(signal);
    if (answer.kind === 'ready') {
      const { models } = life.kind === 'ready' ? life : await this.#becomeReady(child);
      if (this.baseUrl() === null) return await this.look(signal);
      this.#missedLooks = 0;
      const detail = `process ${child.pid} (${child.origin}) answers at ${this.#urlOf(child)}`;
      return { ...looked('ready', detail), models, running: answer.running };
    }
    if (child.ended.aborted) return looked('away', String(child.ended.reason));
    if (life.kind === 'loading') return looked('loading', answer.detail);
    this.#missedLooks += 1;
    if (this.#missedLooks >= MISSED_LOOKS_MAX)
      return looked('away', `process ${child.pid} lives, but ${answer.detail}`);
    return { ...looked('ready', `busy: ${answer.detail}`), models: life.models };
  }

  async bring(signal: AbortSignal): Promise<void> {
    const calledOff = AbortSignal.any([signal, this.#halt.signal]);
    await this.#inbox.run(() => this.#bring(calledOff));
  }

  async release(way: ReleaseWay): Promise<void> {
    invariant(way === 'stop', 'only its end gives its memory back');
    this.#callOff();
    await this.#inbox.run(() => this.#stop());
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  /** To be awaited before anything else. */
  async adopt(): Promise<void> {
    const { logger } = this.#options;
    const owner = await this.#readOwner();
    if (owner === null) return;
    const child = await adoptChild(owner);
    if (child === null) return await removeOwner(this.#ownerPath);
    if (owner.fingerprint === this.#fingerprint) {
      logger.info({ pid: child.pid, port: child.port }, 'the LLM server that runs already is taken over');
      this.#follow(child);
      await this.look(new AbortController().signal);
      return;
    }
    logger.info({ pid: child.pid }, 'the LLM server has another command now: the old one is stopped');
    this.#life = { kind: 'leaving', child };
    await this.#inbox
      .run(() => this.#stop())
      .catch((error: unknown) => logger.error({ err: error }, 'LLM server'));
  }

  async #close(): Promise<void> {
    this.#callOff();
    const stopped = this.#inbox.run(() => this.#stop());
    await this.#inbox.close();
    await this.#rotation.stop();
    await stopped;
  }

  #callOff(): void {
    this.#halt.abort();
    this.#halt = new AbortController();
  }

  async #bring(signal: AbortSignal): Promise<void> {
    const life = this.#life;
    if (life.kind === 'leaving') await this.#stop();
    if (life.kind === 'ready' || life.kind === 'loading') {
      const waited = await this.#waitUntilReady(life.child, signal);
      if (waited.kind === 'ready') return;
      // One that was ready and is only busy is no start of ours to undo.
      if (waited.kind === 'called off' && life.kind === 'ready') throw this.#unavailable(waited.why);
      await this.#fail(life.child, waited);
      if (waited.kind === 'called off') throw this.#unavailable(waited.why);
    }
    if (signal.aborted) throw this.#unavailable('its start was called off');
    await this.#start(signal);
  }

  async #start(signal: AbortSignal): Promise<void> {
    const { clock, env, cwd, host, port = null, logger } = this.#options;
    const pause = this.#deaths.pause(clock.monotonic());
    if (pause !== null) throw this.#unavailable(pause.why, Math.ceil(pause.leftMs / 1000));
    const obstacle = await this.#options.obstacle?.();
    if (obstacle !== undefined && obstacle !== null) throw this.#unavailable(obstacle);
    const child = await startChild({
      command: this.#words,
      env: withoutSecrets(env),
      cwd,
      logPath: this.#logPath,
      ownerPath: this.#ownerPath,
      fingerprint: this.#fingerprint,
      port: port === null ? await freePort(host) : await mustBeFree(host, port),
    }).catch((error: unknown) => {
      if (error instanceof CodedError) throw error;
      throw this.#unavailable(`no process can be made for it: ${(error as Error).message}`);
    });
    logger.info({ pid: child.pid, port: child.port }, 'the LLM server is started');
    this.#follow(child);
    const waited = await this.#waitUntilReady(child, signal);
    if (waited.kind === 'ready') return;
    const said = waited.kind === 'called off' ? '' : `. ${await lastLines(child, this.#logPath)}`;
    await this.#fail(child, waited);
    throw this.#unavailable(`${waited.why}${said}`);
  }

  #follow(child: Child): void {
    this.#life = { kind: 'loading', child };
    const ended = (): void => {
      if (this.#inbox.closed) return;
      this.#inbox
        .run(() => this.#bury(child))
        .catch((error: unknown) => this.#options.logger.error({ err: error }, 'LLM server'));
    };
    if (child.ended.aborted) ended();
    else child.ended.addEventListener('abort', ended, { once: true });
  }

  async #waitUntilReady(child: Child, signal: AbortSignal): Promise<Waited> {
    const { clock } = this.#options;
    const wake = AbortSignal.any([signal, child.ended]);
    const fromMs = clock.monotonic();
    for (;;) {
      const answer = await this.#probe(child, wake);
      // First: whoever answers then is not ours.
      if (child.ended.aborted) return { kind: 'ended', why: String(child.ended.reason) };
      if (signal.aborted) return { kind: 'called off', why: 'its start was called off' };
      if (answer.kind === 'ready') {
        if (this.#life.kind !== 'ready') await this.#becomeReady(child);
        this.#missedLooks = 0;
        return { kind: 'ready' };
      }
      const elapsedMs = clock.monotonic() - fromMs;
      if (elapsedMs >= this.#limits.startMs) return { kind: 'late', why: this.#tooLate(answer) };
      await clock.sleep(elapsedMs < READY_POLL_QUICK_FOR_MS ? READY_POLL_MS : READY_POLL_SLOW_MS, wake);
    }
  }

  #tooLate(answer: Exclude<Answer, { kind: 'ready' }>): string {
    const late = `it is not ready after ${this.#limits.startMs / 1000} s: ${answer.detail}`;
    if (answer.kind === 'loading' || this.#options.port !== undefined) return late;
    return `${late}; its port is what {port} in the command stands for, and PORT in its environment`;
  }

  async #becomeReady(child: Child): Promise<Life & { kind: 'ready' }> {
    const models = await listModels(this.#probeOptions(child, new AbortController().signal));
    if (this.#life.kind === 'ready' && this.#life.child === child) return this.#life;
    const ready: Life = { kind: 'ready', child, models, sinceMs: this.#options.clock.monotonic() };
    if (this.#life.kind === 'loading' && this.#life.child === child) this.#life = ready;
    return ready;
  }

  /** Ends what did not become ready; the caller's wish to call it off is no failure of the server. */
  async #fail(child: Child, waited: Exclude<Waited, { kind: 'ready' }>): Promise<void> {
    if (waited.kind === 'ended') return await this.#bury(child);
    if (waited.kind === 'late') this.#noteDeath(waited.why);
    await this.#stop();
  }

  /** Of one that ended by itself. */
  async #bury(child: Child): Promise<void> {
    const life = this.#life;
    if (life.kind === 'nothing' || life.kind === 'leaving' || life.child !== child) return;
    const why = String(child.ended.reason);
    this.#options.logger.warn({ pid: child.pid, why }, 'the LLM server ended by itself');
    this.#noteDeath(why);
    this.#life = { kind: 'leaving', child };
    await sweepAfter(child);
    await this.#forget(child);
  }

  #noteDeath(why: string): void {
    const { clock, random } = this.#options;
    const nowMs = clock.monotonic();
    const livedMs = this.#life.kind === 'ready' ? nowMs - this.#life.sinceMs : null;
    this.#deaths.note({ nowMs, livedMs, why, unit: random.unit() });
  }

  async #stop(): Promise<void> {
    if (this.#life.kind === 'nothing') return;
    const { child } = this.#life;
    this.#life = { kind: 'leaving', child };
    const { rung, left, elapsed_ms } = await stopChild(child, this.#limits.stopGraceMs);
    if (rung === 'unconfirmed')
      throw this.#unavailable(`process ${left.join(', ')} does not end, not even by SIGKILL`);
    this.#options.logger.info({ pid: child.pid, how: rung, elapsed_ms }, 'the LLM server is stopped');
    await this.#forget(child);
  }

  async #forget(child: Child): Promise<void> {
    child.release();
    await removeOwner(this.#ownerPath);
    this.#life = { kind: 'nothing' };
    this.#missedLooks = 0;
  }

  async #lookAtNothing(): Promise<EngineLook> {
    const pause = this.#deaths.pause(this.#options.clock.monotonic());
    if (pause !== null) return looked('broken', pause.why);
    const obstacle = await this.#options.obstacle?.();
    if (obstacle !== undefined && obstacle !== null) return looked('broken', obstacle);
    return looked('away', 'it is not started');
  }

  async #readOwner(): Promise<LlmOwner | null> {
    return await readOwner(this.#ownerPath).catch((error: unknown) => {
      this.#options.logger.warn({ err: error, path: this.#ownerPath }, 'cannot be read, and is ignored');
      return null;
    });
  }

  async #rotateLog(): Promise<void> {
    await rotateIfLarge(this.#logPath, this.#limits.logBytesMax, this.#limits.logFilesKept);
  }

  async #probe(child: Child, signal: AbortSignal): Promise<Answer> {
    return await probe(this.#probeOptions(child, signal));
  }

  #probeOptions(child: Child, signal: AbortSignal) {
    const { healthPath = HEALTH_PATH, fetch = globalThis.fetch } = this.#options;
    return { baseUrl: this.#urlOf(child), healthPath, fetch, signal };
  }

  #urlOf(child: Child): string {
    return `http://${this.#options.host}:${child.port}`;
  }

  #unavailable(why: string, retryAfterSeconds?: number): CodedError {
    const details = retryAfterSeconds === undefined ? {} : { retry_after_seconds: retryAfterSeconds };
    return new CodedError('llm_unavailable', `the LLM server ${this.name} cannot run: ${why}`, details);
  }
}

function looked(state: EngineLook['state'], detail: string): EngineLook {
  return { state, models: [], running: null, statedBytes: null, detail };
}
