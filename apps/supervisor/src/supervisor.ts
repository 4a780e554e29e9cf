// Starts the three services, keeps them up, and stops them.
//
//   probe all -> nothing in the way? -> launch what is missing, all at once
//     phase 1: JARVIS Core is healthy   phase 2: J-Prime and Reactor Core are healthy   phase 3: they reach each other
//
// The processes start side by side, because a program's own start is most of the waiting and every service has to bear
// the absence of the others anyway; the phases say what is up, and if JARVIS Core does not come up nothing stays up.
import type { Environment, ServiceName } from '@jarvis/contracts';
import {
  type DetachedOptions,
  ensureHome,
  processStartTicks,
  type System,
  systemTiming,
  thisSystem,
  type Timing,
} from '@jarvis/process';
import { join } from 'node:path';
import { type Context, limitsOf } from './context.ts';
import { messageOf, SupervisorError } from './errors.ts';
import { Events, type Phase } from './events.ts';
import { lockHome, type HomeLock } from './home-lock.ts';
import { keepLogsSmall } from './log-upkeep.ts';
import { appendTo, jsonLogger, type Logger, type LogLevel, supervisorLogPath } from './logger.ts';
import type { Probe } from './probe.ts';
import { ownPrograms, type Programs, serviceSpecs } from './services.ts';
import { ServiceUnit, type UnitSummary } from './unit.ts';
import { verify, type Verification } from './verify.ts';

export interface SupervisorOptions {
  readonly environment: Environment;
  /** JARVIS_HOME, resolved; made when it is not there. */
  readonly home: string;
  /** What the services get as their environment, beside JARVIS_HOME. */
  readonly processEnv: Readonly<Record<string, string | undefined>>;
  readonly fetch: typeof fetch;
  readonly wallMs: () => number;
  /** 0 to 1. */
  readonly random: () => number;
  readonly newId: () => string;
  readonly writeError: (text: string) => void;
  /** The pid and executable of this process. */
  readonly pid: number;
  readonly execPath: string;
  readonly timing?: Timing;
  readonly system?: System;
  readonly spawn?: DetachedOptions['spawn'];
  readonly programs?: Programs;
  /** Default: JSON lines in logs/jarvis-supervisor.log of the home. */
  readonly log?: Logger;
}

export type SupervisorState = 'starting' | 'running' | 'failed' | 'stopping' | 'stopped';

export interface Summary extends Verification {
  readonly state: SupervisorState;
  readonly home: string;
  readonly home_id: string;
  readonly services: readonly UnitSummary[];
  /** `3/3 operational` */
  readonly text: string;
}

export interface StopReport {
  /** Why it stopped: asked to, or the start failed with this. */
  readonly error: Error | null;
  /** What could not be stopped, in words. */
  readonly left: readonly string[];
}

/** How long the services may take to find each other once they are up. */
const verifyTimeoutMs = 15_000;
const verifyPollMs = 25;
const verifyPollSlowMs = 250;

/** Locks the home and begins to start the services; `ready` says when they are up. Throws HomeError, SupervisorError('already_running' | 'configuration'). */
export async function startSupervisor(options: SupervisorOptions): Promise<Supervisor> {
  const { environment, timing = systemTiming, system = thisSystem } = options;
  const home = await ensureHome(options.home, options.newId);
  const specs = serviceSpecs({
    environment,
    logs: home.logs,
    programs: options.programs ?? ownPrograms(),
    execPath: options.execPath,
  });
  const lock = await lockHome(home.folder, {
    pid: options.pid,
    started_ticks: (await processStartTicks(options.pid, system)) ?? 0,
    started_at: new Date(options.wallMs()).toISOString(),
    home_id: home.homeId,
    urls: Object.fromEntries(specs.map((spec) => [spec.name, spec.url])),
  });
  const context: Context = {
    homeId: home.homeId,
    http: { fetch: options.fetch, token: environment.JARVIS_API_TOKEN },
    timing,
    random: options.random,
    system,
    spawn: options.spawn,
    childEnv: childEnvironment(options.processEnv, home.folder),
    log: options.log ?? fileLogger(home.logs, options.wallMs, environment.JARVIS_LOG_LEVEL),
    events: new Events(),
    writeError: options.writeError,
    limits: limitsOf(environment),
  };
  const units = specs.map((spec) => new ServiceUnit(spec, context));
  const logs = [...specs.map((spec) => spec.logPath), supervisorLogPath(home.logs)];
  return new Supervisor({ units, context, lock, home: home.folder, logs });
}

/** Node keeps the compiled form of the programs in the home: the second start is quicker. */
function childEnvironment(processEnv: SupervisorOptions['processEnv'], home: string): Context['childEnv'] {
  return {
    NODE_COMPILE_CACHE: join(home, 'cache', 'compiled'),
    ...processEnv,
    JARVIS_HOME: home,
  };
}

function fileLogger(logs: string, wallMs: () => number, least: LogLevel): Logger {
  return jsonLogger({ write: appendTo(supervisorLogPath(logs)), wallMs, least });
}

interface Parts {
  readonly units: readonly ServiceUnit[];
  readonly context: Context;
  readonly lock: HomeLock;
  readonly home: string;
  readonly logs: readonly string[];
}

export class Supervisor {
  readonly events: Events;
  /** Settles when all phases are through; rejects with SupervisorError after everything was stopped again. */
  readonly ready: Promise<Summary>;
  /** Settles when everything is stopped and the home is free. */
  readonly done: Promise<StopReport>;
  readonly #parts: Parts;
  readonly #stopping = new AbortController();
  readonly #done = Promise.withResolvers<StopReport>();
  readonly #loops: Promise<void>[] = [];
  #state: SupervisorState = 'starting';
  #stop: Promise<StopReport> | null = null;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.events = parts.context.events;
    this.done = this.#done.promise;
    const started = this.#start();
    this.#loops.push(
      started.then(
        () => {},
        () => {},
      ),
      this.#keepLogs(),
    );
    this.ready = started.catch((error: unknown) => this.#failed(error));
    this.ready.catch(() => {}); // `done` tells it too
  }

  summary(): Summary {
    const { units, context, home } = this.#parts;
    const verified = verify(this.#answers());
    return {
      ...verified,
      state: this.#state,
      home,
      home_id: context.homeId,
      services: units.map((unit) => unit.summary()),
      text: `${verified.operational}/${verified.total} operational`,
    };
  }

  /** Stops the services, the last one first, also those adopted; the same promise however often it is asked, at any time. */
  async stop(): Promise<StopReport> {
    return await this.#stopOnce(null);
  }

  /** SIGKILL to everything, at once. */
  async kill(): Promise<StopReport> {
    const stopped = this.#stopOnce(null);
    const { units } = this.#parts;
    await Promise.all(units.map((unit) => unit.kill()));
    return await stopped;
  }

  async #start(): Promise<Summary> {
    const { units, context } = this.#parts;
    const { signal } = this.#stopping;
    context.log.info('starting', { home: this.#parts.home, urls: units.map((unit) => unit.spec.url) });
    const first = await Promise.all(units.map((unit) => unit.probe()));
    await this.#refuseObstacles(first);
    if (signal.aborted) throw new SupervisorError('stopped', 'stopped before anything was started');
    const starts = units.map((unit, i) => unit.start(first[i] as Probe, signal));
    for (const start of starts) start.catch(() => {}); // each is awaited below, in its phase
    this.#loops.push(Promise.allSettled(starts).then(() => {}));

    const core = units.findIndex((unit) => unit.spec.name === 'jarvis-core');
    await this.#phase(1, 'JARVIS Core', async () => await starts[core]);
    const others = units.filter((_, i) => i !== core).map((unit) => unit.spec.title);
    await this.#phase(2, others.join(' and '), async () => {
      await Promise.all(starts);
    });
    for (const unit of units) this.#loops.push(this.#watch(unit));
    await this.#phase(3, 'verification', async () => await this.#verify(signal));
    if (signal.aborted) throw new SupervisorError('stopped', 'stopped while it started');
    this.#state = 'running';
    return this.summary();
  }

  /** Every port that is taken at once, before anything is launched. */
  async #refuseObstacles(first: readonly Probe[]): Promise<void> {
    const { units } = this.#parts;
    const obstacles = await Promise.all(units.map((unit, i) => unit.obstacle(first[i] as Probe)));
    const problems = obstacles.filter((obstacle) => obstacle !== null);
    if (problems.length > 0) throw new SupervisorError('port_taken', problems.join('\n'));
  }

  async #phase(phase: Phase, title: string, work: () => Promise<void>): Promise<void> {
    const { timing, events, log } = this.#parts.context;
    const from = timing.monotonicMs();
    events.emit({ type: 'phase_started', phase, title });
    await work();
    const elapsed_ms = timing.monotonicMs() - from;
    events.emit({ type: 'phase_completed', phase, title, elapsed_ms });
    log.info('phase completed', { phase, title, elapsed_ms: Math.round(elapsed_ms) });
  }

  /** Asks until all reach each other, or the time is over: then the problems are told, and the services go on. */
  async #verify(signal: AbortSignal): Promise<void> {
    const { units, context } = this.#parts;
    const { timing, events, log } = context;
    const from = timing.monotonicMs();
    let verified = verify(this.#answers());
    for (;;) {
      const elapsedMs = timing.monotonicMs() - from;
      if (verified.operational === verified.total || elapsedMs >= verifyTimeoutMs || signal.aborted) break;
      await timing.sleep(elapsedMs < 1000 ? verifyPollMs : verifyPollSlowMs, signal);
      await Promise.all(units.filter((unit) => unit.health !== null).map((unit) => unit.probe()));
      verified = verify(this.#answers());
    }
    if (signal.aborted) return;
    log.info(`${verified.operational}/${verified.total} operational`, { problems: verified.problems });
    events.emit({ type: 'verified', ...verified });
  }

  #answers(): Map<ServiceName, NonNullable<ServiceUnit['health']> | null> {
    return new Map(this.#parts.units.map((unit) => [unit.spec.name, unit.health]));
  }

  /** A mistake of ours in one service's loop must not leave the others unattended. */
  async #watch(unit: ServiceUnit): Promise<void> {
    try {
      await unit.watch(this.#stopping.signal);
    } catch (error) {
      this.#parts.context.log.error('a service is no longer watched', {
        about: unit.spec.name,
        detail: messageOf(error),
      });
      this.#parts.context.writeError(`${unit.spec.title} is no longer watched: ${messageOf(error)}\n`);
    }
  }

  async #keepLogs(): Promise<void> {
    const { context, logs } = this.#parts;
    const { logBytesMax, logFilesKept } = context.limits;
    const { timing, log } = context;
    const options = { bytesMax: logBytesMax, filesKept: logFilesKept, timing, log };
    await keepLogsSmall(logs, options, this.#stopping.signal);
  }

  async #failed(error: unknown): Promise<never> {
    if (!this.#stopping.signal.aborted) {
      this.#state = 'failed';
      this.#parts.context.log.error('the start failed', { detail: messageOf(error) });
      this.events.emit({ type: 'failed', message: messageOf(error) });
    }
    await this.#stopOnce(error instanceof Error ? error : new Error(String(error)));
    throw error;
  }

  #stopOnce(error: Error | null): Promise<StopReport> {
    this.#stop ??= this.#stopAll(error).then((report) => {
      this.#done.resolve(report);
      return report;
    });
    return this.#stop;
  }

  async #stopAll(error: Error | null): Promise<StopReport> {
    const { units, context, lock } = this.#parts;
    this.#state = 'stopping';
    this.#stopping.abort();
    context.log.info('stopping');
    this.events.emit({ type: 'stopping' });
    await Promise.all(this.#loops);
    await Promise.all(this.#loops); // what the start added in the meantime
    const isCore = (unit: ServiceUnit) => unit.spec.name === 'jarvis-core';
    const left: string[] = [];
    for (const group of [units.filter((unit) => !isCore(unit)), units.filter(isCore)])
      left.push(
        ...(await Promise.all(group.map((unit) => this.#stopUnit(unit)))).filter((text) => text !== ''),
      );
    await lock.release();
    this.#state = 'stopped';
    context.log.info('stopped', { left });
    this.events.emit({ type: 'stopped', left });
    return { error, left };
  }

  async #stopUnit(unit: ServiceUnit): Promise<string> {
    try {
      const stopped = await unit.stop();
      if (stopped === null) return '';
      const { how, elapsed_ms, left } = stopped;
      this.events.emit({ type: 'service_stopped', service: unit.spec.name, how, elapsed_ms });
      return left;
    } catch (error) {
      return `${unit.spec.title}: ${messageOf(error)}`;
    }
  }
}
