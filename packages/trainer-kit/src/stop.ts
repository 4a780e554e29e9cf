// When a trainer has to stop: it was signalled, or the heartbeat file went silent because nobody is left to tell it.
// Silence is measured by the monotonic clock from the last change seen, so that a changed wall clock stops nobody.
import { stat } from 'node:fs/promises';
import type { TrainerJob } from '@jarvis/contracts';
import type { TrainerHost } from './host.ts';

const CHECK_MS_MIN = 20;
const CHECK_MS_MAX = 5_000;
const CHECKS_PER_GRACE = 4;

/** The heartbeat's last change as seen: `mtimeMs` null while there is no file. */
export interface Heartbeat {
  readonly mtimeMs: number | null;
  readonly seenAtMs: number;
}

/** @param mtimeMs as found now, @param nowMs monotonic */
export function hearHeartbeat(last: Heartbeat, mtimeMs: number | null, nowMs: number): Heartbeat {
  return mtimeMs === null || mtimeMs === last.mtimeMs ? last : { mtimeMs, seenAtMs: nowMs };
}

/** Thrown out of preparation, where there is nothing yet to save. */
export class StopRequested extends Error {
  override readonly name = 'StopRequested';
}

async function mtimeOf(path: string): Promise<number | null> {
  try {
    return (await stat(path)).mtimeMs;
  } catch {
    return null;
  }
}

/** A flag that is raised once and stays; `start` begins to watch, `close` ends it. */
export class StopFlag {
  #raised = false;
  #timer: NodeJS.Timeout | undefined;

  get raised(): boolean {
    return this.#raised;
  }

  raise(): void {
    this.#raised = true;
  }

  watch(job: Pick<TrainerJob, 'heartbeat_path' | 'orphan_grace_seconds'>, host: TrainerHost): void {
    const graceMs = job.orphan_grace_seconds * 1000;
    const everyMs = Math.min(CHECK_MS_MAX, Math.max(CHECK_MS_MIN, graceMs / CHECKS_PER_GRACE));
    let heartbeat: Heartbeat = { mtimeMs: null, seenAtMs: host.monotonicMs() };
    const check = async () => {
      heartbeat = hearHeartbeat(heartbeat, await mtimeOf(job.heartbeat_path), host.monotonicMs());
      if (host.monotonicMs() - heartbeat.seenAtMs > graceMs) this.raise();
    };
    this.#timer = setInterval(() => void check(), everyMs);
    this.#timer.unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
