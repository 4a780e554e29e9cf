// Logs as JSON lines on stdout, which the supervisor has opened as the log file of the service.
import { destination, type Logger, pino, stdTimeFunctions } from 'pino';

export type { Logger } from 'pino';

export interface LoggerOptions {
  readonly service: string;
  readonly level: string;
}

/** Secrets are cut out by path; messages never carry them. */
const SECRET_PATHS = [
  'authorization',
  'headers.authorization',
  'req.headers.authorization',
  '*.token_secret',
  '*.JARVIS_API_TOKEN',
  '*.DATABASE_URL',
];

export function createLogger(options: LoggerOptions): Logger {
  return pino(
    {
      level: options.level,
      base: { service: options.service },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: SECRET_PATHS, censor: '[secret]' },
    },
    destination({ fd: 1, sync: true }),
  );
}

/** A logger that says nothing, for tests and one-off commands. */
export function silentLogger(): Logger {
  return pino({ level: 'silent' });
}
