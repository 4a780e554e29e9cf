// What the LLM server holds: the process trees that the engine names, as measured; else what the engine says of itself.
import { readTrees } from '@jarvis/process';
import type { Clock } from '@jarvis/runtime';
import type { EngineLook, LlmEngine } from './engine.ts';

/** Released memory is gone when the kernel has taken it back, which takes it up to 60 ms for a GB; the server's own threads more. */
const FALL_WAIT_MS = 1_000;
const FALL_LOOK_MS = 50;

export interface Held {
  /** null: it cannot be known. */
  readonly bytes: number | null;
  readonly pids: readonly number[];
}

/** `formerPids`: trees that were measured before, and count for as long as they live. */
export async function measureHeld(
  engine: LlmEngine,
  look: EngineLook,
  formerPids: readonly number[] = [],
): Promise<Held> {
  const pids = [...new Set([...formerPids, ...(await engine.pids())])];
  if (pids.length === 0) return { bytes: look.state === 'ready' ? look.statedBytes : 0, pids };
  const trees = await readTrees(pids);
  return { bytes: [...trees.values()].reduce((sum, tree) => sum + tree.pss_bytes, 0), pids };
}

export interface Fall {
  readonly engine: LlmEngine;
  readonly before: Held;
  readonly wantedBytes: number;
  readonly look: () => Promise<EngineLook>;
  readonly clock: Clock;
}

/** Measures until it fell by `wantedBytes`, or falls no more within a limit. */
export async function measureFall(fall: Fall): Promise<Held> {
  const { engine, before, wantedBytes, look, clock } = fall;
  const giveUpMs = clock.monotonic() + FALL_WAIT_MS;
  let after = await measureHeld(engine, await look(), before.pids);
  while (clock.monotonic() < giveUpMs) {
    if (before.bytes === null || after.bytes === null || before.bytes - after.bytes >= wantedBytes)
      return after;
    await clock.sleep(FALL_LOOK_MS);
    after = await measureHeld(engine, await look(), before.pids);
  }
  return after;
}
