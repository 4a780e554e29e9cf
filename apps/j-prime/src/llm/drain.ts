// The end of a stay in memory: what runs is answered, then the engine gives back, the cheapest way first, until enough fell.
// A request that runs past the deadline calls the drain off: nothing is dropped for a training.
import type { Clock, Logger } from '@jarvis/runtime';
import type { EngineLook, LlmEngine, ReleaseWay } from './engine.ts';
import { type Held, measureFall, measureHeld } from './held-memory.ts';
import type { Life } from './life.ts';
import type { Traffic } from './traffic.ts';
import { within } from './within.ts';

/** Whatever the deadline says. */
const QUIET_WAIT_MAX_MS = 86_400_000;
const RELEASE_LIMIT_MS = 60_000;
const ELSEWHERE_LOOK_MS = 250;

export interface DrainRequest {
  /** For a person. */
  readonly why: string;
  readonly wantedBytes: number;
  /** By wall clock. */
  readonly byMs: number;
  /** Only when it had no request for so long; null: also while it is in use. */
  readonly idleForMs: number | null;
  /** Calls it off as long as requests run: then it stays. */
  readonly signal: AbortSignal;
  /** Nothing runs any more, and the first way is about to be tried. */
  readonly onQuiet: () => Promise<void>;
  /** After each way that was tried; `freedBytes` as measured, in all. */
  readonly onStep: (step: DrainStep) => Promise<void>;
}

export interface DrainStep {
  readonly way: ReleaseWay;
  readonly freedBytes: number;
  /** null: it did. */
  readonly failed: string | null;
}

export interface Drained {
  readonly freedBytes: number;
  /** Whether it has left memory. */
  readonly left: boolean;
  /** For a person. */
  readonly reason: string;
}

export interface DrainParts {
  readonly engine: LlmEngine;
  readonly life: Life;
  readonly traffic: Traffic;
  readonly idleMs: () => number;
  readonly look: () => Promise<EngineLook>;
  readonly onMeasured: (bytes: number) => Promise<void>;
  readonly stopping: AbortSignal;
  readonly clock: Clock;
  readonly logger: Logger;
}

export async function drain(request: DrainRequest, parts: DrainParts): Promise<Drained> {
  const { engine, life, idleMs, look, onMeasured } = parts;
  const stays = (reason: string): Drained => ({ freedBytes: 0, left: false, reason });
  if (life.state !== 'ready') return stays(`the LLM is ${life.state}: ${life.reason}`);
  if (engine.ways.length === 0) return stays(engine.cannot ?? 'the LLM server can give nothing back');
  if (request.idleForMs !== null && idleMs() < request.idleForMs) return stays('the LLM is in use');
  life.go('draining', request.why);
  const before = await measureHeld(engine, await look());
  if (!(await isQuiet(request, parts))) {
    life.go('ready', 'requests ran past the deadline of the drain, or it was called off');
    return stays('the LLM stays: it was in use until the deadline, or the room was not wanted any more');
  }
  if (before.bytes !== null && before.bytes > 0) await onMeasured(before.bytes);
  await request.onQuiet();
  const drained = await release(request, parts, before);
  const isThere = !drained.left && (await look()).state === 'ready';
  life.go(isThere ? 'ready' : 'absent', drained.reason);
  return drained;
}

/** Whether what runs has ended before the deadline; requests of others too, where the server counts. */
async function isQuiet(
  request: DrainRequest,
  { clock, traffic, look, stopping }: DrainParts,
): Promise<boolean> {
  const over = new AbortController();
  const leftMs = Math.min(Math.max(0, request.byMs - clock.now()), QUIET_WAIT_MAX_MS);
  const limit = clock.sleep(leftMs, over.signal);
  const late = new AbortController();
  void limit.then(() => late.abort());
  const signal = AbortSignal.any([late.signal, request.signal, stopping]);
  try {
    await traffic.quiet(signal);
    while (!signal.aborted && ((await look()).running ?? 0) > 0) await clock.sleep(ELSEWHERE_LOOK_MS, signal);
    return !signal.aborted;
  } finally {
    over.abort();
  }
}

async function release(request: DrainRequest, parts: DrainParts, before: Held): Promise<Drained> {
  const { engine, clock, logger, look, stopping } = parts;
  let freedBytes = 0;
  const done: string[] = [];
  const failures: string[] = [];
  for (const way of engine.ways) {
    let failed: string | null = null;
    try {
      await within(RELEASE_LIMIT_MS, clock, stopping, (signal) => engine.release(way, signal));
      done.push(way);
    } catch (error) {
      failed = (error as Error).message;
      failures.push(`${way}: ${failed}`);
      logger.warn({ err: error, llm: engine.name, way }, 'the LLM server did not give its memory back');
    }
    const after = await measureFall({ engine, before, wantedBytes: request.wantedBytes, look, clock });
    if (before.bytes !== null && after.bytes !== null) freedBytes = Math.max(0, before.bytes - after.bytes);
    await request.onStep({ way, freedBytes, failed });
    if (failed === null && freedBytes >= request.wantedBytes) break;
  }
  const told = done.length === 0 ? failures.join('; ') : `gave memory back by ${done.join(', then ')}`;
  return {
    freedBytes,
    left: done.length > 0,
    reason: `${told}: ${freedBytes} bytes fewer, ${howKnown(before)}`,
  };
}

/** Processes that may not be seen, of another user or in a container, are not measured. */
function howKnown({ bytes, pids }: Held): string {
  if (pids.length > 0) return 'as measured';
  return bytes === null
    ? 'for what it holds can neither be measured nor does it say so'
    : 'as it says itself';
}
