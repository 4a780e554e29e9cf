// `jarvis lock NAME -- command`: runs a command while JARVIS Core's lock is held. The command gets the token, and is stopped,
// with all that it started, before the lock can go to another.
import { hostname } from 'node:os';
import { isCodedError, idSchema } from '@jarvis/contracts';
import { type HeldLock, holdLock, readConfigOrExit } from '@jarvis/runtime';
import { STOP_TERM_GRACE_MS } from '@jarvis/process';
import { CommandError, EXIT_INTERRUPTED } from './exit.ts';
import { runCommand, type Running } from './locked-command.ts';
import { withService } from './services.ts';
import { untilInterrupted, type World } from './world.ts';

/** Not got within --wait: try again later (sysexits EX_TEMPFAIL). */
export const EXIT_LOCK_HELD = 75;
/** Lost while the command ran, which was stopped. Beyond sysexits, and below what shells use. */
export const EXIT_LOCK_LOST = 79;
/** The command gets no more than this share of the TTL to end by itself once the lock cannot be kept. */
const GRACE_SHARE = 0.25;
/** From its SIGKILL to its end. */
const KILL_SHARE = 0.05;

export interface LockOptions {
  readonly ttl: number;
  readonly wait?: number;
  readonly holder?: string;
}

export async function lockCommand(
  world: World,
  name: string,
  command: readonly string[],
  options: LockOptions,
): Promise<void> {
  const config = readConfigOrExit(world);
  const ttlMs = options.ttl * 1000;
  const graceMs = Math.min(STOP_TERM_GRACE_MS, ttlMs * GRACE_SHARE);
  await withService(config, 'jarvis-core', async (client) => {
    const waiting = untilInterrupted(world, () => process.exit(EXIT_INTERRUPTED));
    const notRun = `No longer waiting for ${name}; the command was not run.`;
    const lock = await holdLock({
      client,
      clock: world.clock,
      random: world.random,
      name,
      holder: options.holder ?? ownName(),
      ttlMs,
      waitMs: options.wait === undefined ? Infinity : options.wait * 1000,
      marginMs: graceMs + ttlMs * KILL_SHARE,
      signal: waiting.signal,
      onWait: sayOnce(world),
    })
      .catch((error: unknown) => {
        if (waiting.signal.aborted) throw new CommandError(notRun, EXIT_INTERRUPTED);
        throw isCodedError(error, 'lock_held') ? notGot(error.message) : error;
      })
      .finally(() => waiting.release());
    try {
      if (waiting.signal.aborted) throw new CommandError(notRun, EXIT_INTERRUPTED);
      process.exitCode = await runUnder(world, lock, { command, graceMs });
    } finally {
      if ((await lock.release()) === 'unknown')
        world.stderr.write(
          `${name} could not be given back: JARVIS Core is away; it is free when its time is over.\n`,
        );
    }
  });
}

interface Run {
  readonly command: readonly string[];
  readonly graceMs: number;
}

async function runUnder(world: World, lock: HeldLock, { command, graceMs }: Run): Promise<number> {
  if (lock.leftMs() === 0)
    throw new CommandError(`${lostWhy(lock)}; the command was not run.`, EXIT_LOCK_LOST);
  const running = await runCommand(world, command, {
    JARVIS_LOCK_NAME: lock.name,
    JARVIS_LOCK_TOKEN: String(lock.token),
  });
  return untilEnded(running, lock, graceMs);
}

async function untilEnded(running: Running, lock: HeldLock, graceMs: number): Promise<number> {
  const lost = Promise.withResolvers<'lost'>();
  const lose = (): void => lost.resolve('lost');
  lock.lost.addEventListener('abort', lose);
  if (lock.lost.aborted) lose();
  const ended = await Promise.race([running.ended, lost.promise]);
  lock.lost.removeEventListener('abort', lose);
  if (ended !== 'lost') return ended;
  const left = await running.stop(graceMs);
  const why = lostWhy(lock);
  throw new CommandError(
    left.length === 0
      ? `${why}; the command was stopped.`
      : `${why}; the command was to be stopped, but these go on: ${left.join(', ')}.`,
    EXIT_LOCK_LOST,
  );
}

function lostWhy({ lost, name }: HeldLock): string {
  return lost.aborted ? (lost.reason as Error).message : `the lock ${name} came when its time was over`;
}

/** One line for each reason to wait. */
function sayOnce(world: World): (problem: Error) => void {
  let said = '';
  return ({ message }) => {
    if (message !== said) world.stderr.write(`Waiting: ${message} (Ctrl-C gives up)\n`);
    said = message;
  };
}

function notGot(why: string): CommandError {
  return new CommandError(
    `${why}; the command was not run. A longer --wait waits for it; \`jarvis status\` says what runs.`,
    EXIT_LOCK_HELD,
  );
}

/** Who it is, for those who wait: machine and process. */
function ownName(): string {
  const machine = hostname().replaceAll(/[^A-Za-z0-9_.-]/g, '-');
  const name = `${machine}:${process.pid}`;
  return idSchema.safeParse(name).success ? name : `pid:${process.pid}`;
}
