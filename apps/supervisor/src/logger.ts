// The supervisor's own log: one JSON object a line.
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { LOG_FILES } from './services.ts';

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LEVELS)[number];
export type LogFields = Readonly<Record<string, unknown>>;

export interface Logger {
  info(msg: string, fields?: LogFields): void;
  warn(msg: string, fields?: LogFields): void;
  error(msg: string, fields?: LogFields): void;
}

/** Lines `{time, level, service: "supervisor", msg, ...fields}`, from `least` on. */
export function jsonLogger(options: {
  readonly write: (line: string) => void;
  readonly wallMs: () => number;
  readonly least: LogLevel;
}): Logger {
  const log =
    (level: LogLevel) =>
    (msg: string, fields: LogFields = {}) => {
      if (LEVELS.indexOf(level) < LEVELS.indexOf(options.least)) return;
      const time = new Date(options.wallMs()).toISOString();
      options.write(`${JSON.stringify({ time, level, service: 'supervisor', msg, ...fields })}\n`);
    };
  return { info: log('info'), warn: log('warn'), error: log('error') };
}

/** The log file of the supervisor in a home. */
export function supervisorLogPath(logs: string): string {
  return join(logs, LOG_FILES.supervisor);
}

/** Appends line by line. A full disk must not bring the services down: then lines are lost. */
export function appendTo(path: string): (line: string) => void {
  return (line) => {
    try {
      appendFileSync(path, line, { mode: 0o600 });
    } catch {
      // The log is the place where this would be said.
    }
  };
}
