// The life of a service: start in order, ready, stop in reverse; signals and a fatal error end it the same way.
import type { AddressInfo } from 'node:net';
import { CodedError } from '@jarvis/contracts';
import type { HttpServer } from './http-server.ts';
import type { Logger } from './logger.ts';

const STOP_LIMIT_MS = 15_000;
/** Exit code when a service cannot run (sysexits EX_UNAVAILABLE). */
const EXIT_UNAVAILABLE = 69;

/** Whatever lives long: stop is idempotent and may be called before start has come to its end. */
export interface Part {
  readonly name: string;
  stop(): Promise<void>;
}

export interface Service {
  readonly stopped: Promise<void>;
  stop(): Promise<void>;
}

/** Stops `parts` in reverse order, each once; a part that fails or hangs does not keep the others from stopping. */
export function createService(parts: readonly Part[], logger: Logger): Service {
  const ended = Promise.withResolvers<void>();
  let stopping: Promise<void> | undefined;
  const stopAll = async (): Promise<void> => {
    for (const part of parts.toReversed()) {
      await part
        .stop()
        .catch((error: unknown) => logger.error({ err: error, part: part.name }, 'did not stop cleanly'));
    }
    ended.resolve();
  };
  return { stopped: ended.promise, stop: () => (stopping ??= stopAll()) };
}

export interface ListenOptions {
  readonly port: number;
  readonly host: string;
  readonly service: string;
}

/** Listens, or throws an error that says what to do about a port that is taken. Returns the port. */
export async function listen(server: HttpServer, options: ListenOptions): Promise<number> {
  try {
    await server.listen({ port: options.port, host: options.host });
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'EADDRINUSE')
      throw new CodedError(
        'service_unavailable',
        `port ${options.port} on ${options.host} is taken by another program: stop it, or give ${options.service} another port`,
        {},
        { cause: error },
      );
    if (code === 'EACCES' || code === 'EADDRNOTAVAIL')
      throw new CodedError(
        'service_unavailable',
        `cannot listen on ${options.host}:${options.port} (${code}): choose another address or port for ${options.service}`,
        {},
        { cause: error },
      );
    throw error;
  }
  return (server.server.address() as AddressInfo).port;
}

/** Runs a service in this process until SIGTERM, SIGINT or `stop`; exits 0 after a clean stop, 69 when it cannot start. */
export async function runService(logger: Logger, start: () => Promise<Service>): Promise<void> {
  process.on('unhandledRejection', (error) => die(logger, error));
  process.on('uncaughtException', (error) => die(logger, error));
  let service: Service;
  try {
    service = await start();
  } catch (error) {
    logger.fatal({ err: error }, error instanceof CodedError ? error.message : 'could not start');
    process.stderr.write(`${(error as Error).message}\n`);
    process.exit(EXIT_UNAVAILABLE);
  }
  const stop = (signal: string): void => {
    logger.info({ signal }, 'stopping');
    setTimeout(
      () => die(logger, new Error(`did not stop within ${STOP_LIMIT_MS} ms`)),
      STOP_LIMIT_MS,
    ).unref();
    void service.stop();
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  await service.stopped;
  logger.info('stopped');
  process.exit(0);
}

/** For a service whose data another process has taken: what it remembers may be wrong, so it ends like any other stop. */
export function stopLost(service: Service, logger: Logger): void {
  logger.fatal('another process has taken the data of this service: stopping');
  void service.stop();
}

/** A bug: better to restart from what is stored than to go on with what is in memory. */
function die(logger: Logger, error: unknown): never {
  logger.fatal({ err: error }, 'died');
  process.exit(1);
}
