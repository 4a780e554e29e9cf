// One service under supervision: its state, its process, and the only loop that changes them.
//
//   start: adopt | launch -> healthy          watch: probe, probe, ... -> ended or unhealthy -> restart ... -> gave up
import {
  type Health,
  invariant,
  mayGo,
  SERVICE_LIFECYCLE,
  type ServiceName,
  type ServiceState,
} from '@jarvis/contracts';
import { findListener } from '@jarvis/process';
import type { Context } from './context.ts';
import { messageOf, SupervisorError } from './errors.ts';
import { type Probe, probe } from './probe.ts';
import { decideRestart } from './restarts.ts';
import { adopt, launch, logTail, probeTimeoutMs, type Running, untilHealthy } from './running.ts';
import { expectedOf, type ServiceSpec } from './services.ts';
import { killService, type ServiceStop, stopService } from './stop-service.ts';

/** One late answer is a busy machine; three in a row are a service that hangs. */
const missedProbesMax = 3;

export interface UnitSummary {
  readonly service: ServiceName;
  readonly title: string;
  readonly state: ServiceState;
  readonly url: string;
  readonly pid: number | null;
  readonly origin: Running['origin'] | null;
  readonly restarts: number;
  readonly detail: string;
  readonly log_path: string;
}

export class ServiceUnit {
  readonly spec: ServiceSpec;
  readonly #context: Context;
  #state: ServiceState = 'absent';
  #detail = '';
  #running: Running | null = null;
  #health: Health | null = null;
  readonly #restartedAtMs: number[] = [];
  #restarts = 0;
  #lastTail: readonly string[] = [];

  constructor(spec: ServiceSpec, context: Context) {
    this.spec = spec;
    this.#context = context;
  }

  /** Its last answer; null when it is not up. */
  get health(): Health | null {
    return this.#state === 'healthy' || this.#state === 'adopted' ? this.#health : null;
  }

  summary(): UnitSummary {
    return {
      service: this.spec.name,
      title: this.spec.title,
      state: this.#state,
      url: this.spec.url,
      pid: this.#running?.process?.pid ?? null,
      origin: this.#running?.origin ?? null,
      restarts: this.#restarts,
      detail: this.#detail,
      log_path: this.spec.logPath,
    };
  }

  /** One look at who answers on its URL. */
  async probe(): Promise<Probe> {
    const { http, homeId } = this.#context;
    const answer = await probe(this.spec.url, expectedOf(this.spec, homeId), http, probeTimeoutMs);
    if (answer.kind === 'ours') this.#health = answer.health;
    return answer;
  }

  /** What keeps it from starting, given a first look; null when nothing does. */
  async obstacle(first: Probe): Promise<string | null> {
    const taken = first.kind === 'stranger' || (first.kind === 'silent' && this.spec.launch !== null);
    if (!taken) return null;
    const listener = await findListener(this.spec.port, this.#context.system);
    const who = listener === null ? '' : ` (pid ${listener.pid}: ${listener.command})`;
    return `${this.spec.title}: port ${this.spec.port} is taken by something else${who}: ${first.why}. Stop it, or give ${this.spec.title} another port; nothing was done to it`;
  }

  /** Adopts what answers, launches what is missing, and waits until it is healthy. What is not ours to launch and away is reported, not an error. */
  async start(first: Probe, signal: AbortSignal): Promise<void> {
    if (first.kind === 'ours') {
      await this.#adopt(first.health);
      if (first.health.status === 'starting') await this.#untilHealthy(signal);
      this.#goTo('adopted', 'it runs already');
      return;
    }
    if (this.spec.launch === null) {
      this.#unreachable(first.why);
      return;
    }
    this.#goTo('starting', 'launching');
    await this.#launch(signal);
    this.#goTo('healthy', 'it answers');
  }

  /** Probes until the signal is aborted, and restarts what ended or hangs; ends early when it is given up. */
  async watch(signal: AbortSignal): Promise<void> {
    let misses = 0;
    let ended: AbortSignal | undefined;
    let wake = signal;
    while (!signal.aborted && this.#state !== 'gave_up') {
      if (this.#running?.ended !== ended) {
        ended = this.#running?.ended;
        wake = ended === undefined ? signal : AbortSignal.any([signal, ended]);
      }
      await this.#context.timing.sleep(this.#context.limits.probeIntervalMs, wake);
      if (signal.aborted) return;
      if (ended?.aborted === true) {
        misses = 0;
        await this.#fell(String(ended.reason), signal);
        continue;
      }
      const answer = await this.probe();
      if (signal.aborted) return;
      misses = answer.kind === 'ours' ? 0 : misses + 1;
      if (answer.kind === 'ours') await this.#seen(answer.health);
      else if (misses >= missedProbesMax) {
        misses = 0;
        await this.#fell(answer.why, signal, 'unhealthy');
      }
    }
  }

  /** Stops it for good. To be called when `start` and `watch` have ended. */
  async stop(): Promise<ServiceStop | null> {
    const running = this.#running;
    if (running === null) {
      if (this.#state !== 'absent') this.#goTo('absent', 'not running');
      return null;
    }
    const foreign = this.#health !== null && this.#health.home_id !== this.#context.homeId;
    const stopped: ServiceStop = foreign
      ? { how: 'left_running', elapsed_ms: 0, left: '' }
      : await stopService(this.spec, running, this.#context, this.spec.shutdownQuery.stop);
    this.#release();
    this.#goTo(
      'absent',
      foreign ? 'it belongs to another home and was left running' : `stopped: ${stopped.how}`,
    );
    return stopped;
  }

  /** SIGKILL, whatever else is under way. */
  async kill(): Promise<void> {
    if (this.#running !== null) await killService(this.spec, this.#running, this.#context);
  }

  async #adopt(health: Health): Promise<void> {
    this.#release();
    this.#running = await adopt(this.spec, health, this.#context);
    this.#health = health;
  }

  async #launch(signal: AbortSignal): Promise<void> {
    invariant(this.spec.launch !== null, `${this.spec.name} is ours to launch`);
    this.#running = await launch(this.spec, this.spec.launch, this.#context);
    await this.#untilHealthy(signal);
  }

  async #untilHealthy(signal: AbortSignal): Promise<void> {
    if (this.#running !== null)
      this.#health = await untilHealthy(this.spec, this.#running, this.#context, signal);
  }

  /** It answered: it may have come back, or have been started anew by somebody else. */
  async #seen(health: Health): Promise<void> {
    const known = this.#running?.process?.pid;
    if (
      this.#running === null ||
      (this.#running.origin === 'adopted' && known !== undefined && known !== health.pid)
    )
      await this.#adopt(health);
    if (this.#state === 'absent') this.#goTo('adopted', 'it appeared');
    else if (this.#state === 'unhealthy') this.#goTo('healthy', 'it answers again');
  }

  async #fell(why: string, signal: AbortSignal, how: 'ended' | 'unhealthy' = 'ended'): Promise<void> {
    if (this.spec.launch === null) {
      if (this.#state === 'absent') return;
      if (this.#state !== 'unhealthy') this.#unreachable(why);
      this.#release();
      return;
    }
    if (how === 'unhealthy') this.#goTo('unhealthy', why);
    await this.#restart(why, signal);
  }

  async #restart(why: string, signal: AbortSignal): Promise<void> {
    const { timing, limits, random } = this.#context;
    for (let reason = why; !signal.aborted;) {
      this.#goTo('restarting', reason);
      await this.#clearAway();
      const now = timing.monotonicMs();
      const decision = decideRestart(this.#restartedAtMs, now, limits.restarts, random());
      if (decision.kind === 'give_up') return await this.#giveUp(decision.restarts, reason);
      await timing.sleep(decision.delayMs, signal);
      if (signal.aborted) return;
      this.#countRestart();
      this.#goTo('starting', `restart ${this.#restarts}`);
      try {
        await this.#startAgain(signal);
        this.#goTo('healthy', 'it answers again');
        return;
      } catch (error) {
        if (error instanceof SupervisorError && error.code === 'stopped') return;
        reason = messageOf(error);
      }
    }
  }

  /** Somebody may have started it meanwhile; a stranger on its port is a failed start like any other. */
  async #startAgain(signal: AbortSignal): Promise<void> {
    const first = await this.probe();
    const obstacle = await this.obstacle(first);
    if (obstacle !== null) throw new SupervisorError('port_taken', obstacle);
    if (first.kind !== 'ours') return await this.#launch(signal);
    await this.#adopt(first.health);
    await this.#untilHealthy(signal);
  }

  /** What is left of a process that fell: it may hang, or its children may hold the port. Trainers go on. */
  async #clearAway(): Promise<void> {
    const running = this.#running;
    if (running === null) return;
    this.#lastTail = await logTail(this.spec, running);
    const stopped = await stopService(this.spec, running, this.#context, this.spec.shutdownQuery.restart);
    if (stopped.left !== '')
      this.#context.log.error('what fell could not be stopped', { left: stopped.left });
    this.#release();
  }

  #countRestart(): void {
    this.#restarts++;
    this.#restartedAtMs.push(this.#context.timing.monotonicMs());
    // Older ones than the limit counts decide nothing.
    while (this.#restartedAtMs.length > this.#context.limits.restarts.limit) this.#restartedAtMs.shift();
  }

  async #giveUp(restarts: number, why: string): Promise<void> {
    const { restarts: limits } = this.#context.limits;
    const log_tail = this.#lastTail;
    this.#goTo('gave_up', `${restarts} restarts within ${limits.windowMs / 1000} s: ${why}`);
    this.#context.events.emit({
      type: 'service_gave_up',
      service: this.spec.name,
      restarts,
      log_path: this.spec.logPath,
      log_tail,
    });
    const reason = why.split('\n')[0] ?? '';
    this.#context.writeError(
      `${this.spec.title} was given up after ${restarts} restarts within ${limits.windowMs / 1000} s: ${reason}\n` +
        `Its last lines (${this.spec.logPath}):\n${log_tail.map((line) => `  ${line}\n`).join('')}`,
    );
  }

  #unreachable(why: string): void {
    if (this.#state !== 'absent') this.#goTo('unhealthy', why);
    this.#detail = why;
    const { name, url } = this.spec;
    this.#context.log.warn('service unreachable', { about: name, url, detail: why });
    this.#context.events.emit({ type: 'service_unreachable', service: name, url, detail: why });
  }

  #release(): void {
    this.#running?.release();
    this.#running = null;
  }

  #goTo(to: ServiceState, detail: string): void {
    const from = this.#state;
    invariant(mayGo(SERVICE_LIFECYCLE, from, to), `service ${this.spec.name} may go from ${from} to ${to}`);
    this.#state = to;
    this.#detail = detail;
    const pid = this.#running?.process?.pid ?? null;
    const level = to === 'unhealthy' || to === 'restarting' || to === 'gave_up' ? 'warn' : 'info';
    this.#context.log[level](`${from} -> ${to}`, { about: this.spec.name, detail, pid });
    this.#context.events.emit({ type: 'service_state', service: this.spec.name, from, to, detail, pid });
  }
}
