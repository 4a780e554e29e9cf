// `jarvis down`: stops what runs on a home, whoever started it.
import type { Environment, ServiceName } from '@jarvis/contracts';
import {
  isSameProcess,
  readHomeId,
  signalProcess,
  type System,
  systemTiming,
  thisSystem,
  type Timing,
} from '@jarvis/process';
import { join } from 'node:path';
import { readSupervisorRecord } from './home-lock.ts';
import { limitsOf } from './context.ts';
import { type Http, probe } from './probe.ts';
import { adopt, probeTimeoutMs } from './running.ts';
import { ownPrograms, type ServiceSpec, serviceSpecs } from './services.ts';
import { type ServiceStop, stopService } from './stop-service.ts';

export interface StopHomeOptions {
  readonly environment: Environment;
  readonly fetch: typeof fetch;
  readonly execPath: string;
  readonly timing?: Timing;
  readonly system?: System;
}

export interface HomeStop {
  readonly supervisor: 'stopped' | 'none' | 'still_running';
  /** Services that had to be stopped without a supervisor. */
  readonly services: readonly { readonly service: ServiceName; readonly stop: ServiceStop }[];
  readonly left: readonly string[];
}

/** The supervisor stops two groups of services, one after the other, each by a ladder: grace, SIGTERM, SIGKILL. */
const groupsOfServices = 2;
const ladderBeyondGraceMs = 15_000;
const pollMs = 50;

/** Asks the supervisor of the home to stop and waits for it; then stops the services of this home that still answer. Makes nothing in a home that is not there. Throws HomeError, SupervisorError('configuration'). */
export async function stopHome(home: string, options: StopHomeOptions): Promise<HomeStop> {
  const { environment, timing = systemTiming, system = thisSystem } = options;
  const limits = limitsOf(environment);
  const supervisor = await stopSupervisor(
    home,
    groupsOfServices * (limits.stopGraceMs + ladderBeyondGraceMs),
    timing,
    system,
  );
  if (supervisor === 'still_running')
    return { supervisor, services: [], left: [`the supervisor of ${home} did not end`] };
  const homeId = await readHomeId(home);
  if (homeId === null) return { supervisor, services: [], left: [] };
  const http: Http = { fetch: options.fetch, token: environment.JARVIS_API_TOKEN };
  const context = { homeId, http, timing, system, limits };
  const specs = serviceSpecs({
    environment,
    logs: join(home, 'logs'),
    programs: ownPrograms(),
    execPath: options.execPath,
  });
  const isCore = (spec: ServiceSpec) => spec.name === 'jarvis-core';
  const services: { service: ServiceName; stop: ServiceStop }[] = [];
  for (const group of [specs.filter((spec) => !isCore(spec)), specs.filter(isCore)]) {
    const stopped = await Promise.all(
      group.map(async (spec) => {
        const answer = await probe(spec.url, { service: spec.name, homeId }, http, probeTimeoutMs);
        if (answer.kind !== 'ours') return null;
        const running = await adopt(spec, answer.health, context);
        const stop = await stopService(spec, running, context, spec.shutdownQuery.stop);
        running.release();
        return { service: spec.name, stop };
      }),
    );
    services.push(...stopped.filter((entry) => entry !== null));
  }
  return { supervisor, services, left: services.map(({ stop }) => stop.left).filter((text) => text !== '') };
}

async function stopSupervisor(
  home: string,
  timeoutMs: number,
  timing: Timing,
  system: System,
): Promise<HomeStop['supervisor']> {
  const record = await readSupervisorRecord(home);
  if (record === null || !(await isSameProcess(record.pid, record.started_ticks, system))) return 'none';
  if (!signalProcess(record.pid, 'SIGTERM')) return 'none';
  const deadline = timing.monotonicMs() + timeoutMs;
  while (await isSameProcess(record.pid, record.started_ticks, system)) {
    if (timing.monotonicMs() >= deadline) return 'still_running';
    await timing.sleep(pollMs);
  }
  return 'stopped';
}
