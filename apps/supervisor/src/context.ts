// What every part of the supervisor works with: the outside world and the limits, as they were given.
import type { Environment } from '@jarvis/contracts';
import type { DetachedOptions, System, Timing } from '@jarvis/process';
import type { Events } from './events.ts';
import type { Logger } from './logger.ts';
import type { Http } from './probe.ts';
import type { RestartLimits } from './restarts.ts';

export interface Context {
  readonly homeId: string;
  readonly http: Http;
  readonly timing: Timing;
  readonly random: () => number;
  readonly system: System;
  readonly spawn: DetachedOptions['spawn'];
  readonly childEnv: Readonly<Record<string, string | undefined>>;
  readonly log: Logger;
  readonly events: Events;
  /** For what a person has to see even without the display. */
  readonly writeError: (text: string) => void;
  readonly limits: Limits;
}

export interface Limits {
  readonly startTimeoutMs: number;
  readonly stopGraceMs: number;
  readonly probeIntervalMs: number;
  readonly restarts: RestartLimits;
  readonly logBytesMax: number;
  readonly logFilesKept: number;
}

export function limitsOf(environment: Environment): Limits {
  return {
    startTimeoutMs: environment.SERVICE_START_TIMEOUT * 1000,
    stopGraceMs: environment.SERVICE_STOP_GRACE * 1000,
    probeIntervalMs: environment.SERVICE_PROBE_INTERVAL * 1000,
    restarts: {
      limit: environment.SERVICE_RESTART_LIMIT,
      windowMs: environment.SERVICE_RESTART_WINDOW * 1000,
      baseDelayMs: environment.SERVICE_RESTART_DELAY * 1000,
    },
    logBytesMax: environment.LOG_FILE_MB_MAX * 1024 * 1024,
    logFilesKept: environment.LOG_FILES_KEPT,
  };
}
