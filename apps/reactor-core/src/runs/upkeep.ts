// What live runs and runs of our own need again and again: heartbeats, renewals, slots given back, jobs resumed.
import { isCodedError } from '@jarvis/contracts';
import { type Clock, type Logger, type Loop, startLoop } from '@jarvis/runtime';
import type { Database } from '@jarvis/store';
import { listResumable, setResumeAt } from '../store/jobs.ts';
import { askStop, listUnreturned, setReturned } from '../store/runs.ts';
import type { MemoryGroups } from '../executors/memory-groups.ts';
import { listLeftGroups, setGroupRemoved } from '../store/run-memory.ts';
import type { LiveRuns } from './live-runs.ts';
import type { Renewal, SlotBroker } from './slot-broker.ts';
import type { Starting } from './starting.ts';

const HEARTBEAT_MS_MAX = 5_000;
/** Many beats within a trainer's patience, so that a few that are late do no harm. */
const HEARTBEATS_PER_GRACE = 20;
const RENEWALS_PER_TTL = 4;
const OWN_JOBS_INTERVAL_MS = 1_000;
/** After a refusal (no slot, no memory) without a word on when to ask again. */
const REFUSED_RETRY_MS = 5_000;

export interface UpkeepOptions {
  readonly db: Database;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly live: LiveRuns;
  readonly broker: SlotBroker;
  readonly starting: Starting;
  readonly groups: MemoryGroups;
  readonly orphanGraceSeconds: number;
  readonly lockTtlSeconds: number;
  readonly stopGraceMs: number;
}

export interface Upkeep {
  /** A run has ended: its slot may have to go back. */
  wake(): void;
  stop(): Promise<void>;
}

export function startUpkeep(options: UpkeepOptions): Upkeep {
  const { clock, logger, live, orphanGraceSeconds, lockTtlSeconds } = options;
  const loop = (name: string, intervalMs: number, run: () => Promise<void>): Loop =>
    startLoop({ name, intervalMs, clock, logger, run });
  const beatMs = Math.min(HEARTBEAT_MS_MAX, (orphanGraceSeconds * 1000) / HEARTBEATS_PER_GRACE);
  const heartbeat = loop('heartbeat of trainers', beatMs, () => live.beat());
  const renewals = loop('renewal of slots and leases', (lockTtlSeconds * 1000) / RENEWALS_PER_TTL, () =>
    renewAll(options),
  );
  const own = loop('runs of our own', OWN_JOBS_INTERVAL_MS, async () => {
    await giveBackAll(options);
    await resumeAll(options);
  });
  const groups = loop('memory groups', OWN_JOBS_INTERVAL_MS, () => removeGroups(options));
  return {
    wake: () => {
      own.wake();
      groups.wake();
    },
    stop: async () => {
      await Promise.all([heartbeat.stop(), renewals.stop(), own.stop(), groups.stop()]);
      // Those of runs that ended just now; what cannot be removed is found at the next start.
      await removeGroups(options).catch((error: unknown) =>
        logger.warn({ err: error }, 'memory groups stay'),
      );
    },
  };
}

const STOPS: Readonly<Partial<Record<Renewal, string>>> = {
  lost: 'the slot was lost to a newer token',
  reclaimed: 'JARVIS Core wants its memory back',
};

async function renewAll({ db, live, broker, stopGraceMs, logger }: UpkeepOptions): Promise<void> {
  await Promise.all(
    live.all().map(async (running) => {
      const renewal = await broker.renew(running.run);
      const why = STOPS[renewal];
      if (why === undefined) return;
      const { job_id, attempt, token } = running.run;
      logger.warn({ job_id, attempt, token }, `${why}: the trainer has to stop`);
      await db.transaction('reactor.run.ask_stop', (tx) => askStop(tx, running.run, 'preempt'));
      void running.stop(stopGraceMs);
    }),
  );
}

async function giveBackAll({ db, broker }: UpkeepOptions): Promise<void> {
  for (const run of await listUnreturned(db)) {
    if (await broker.giveBack(run))
      await db.transaction('reactor.run.returned', (tx) => setReturned(tx, run));
  }
}

/** Of runs that have ended, also before a restart: until then a group's count tells how its trainer died. */
async function removeGroups({ db, groups }: UpkeepOptions): Promise<void> {
  for (const run of await listLeftGroups(db)) {
    if (await groups.remove(run.memory_group))
      await db.transaction('reactor.run.group_removed', (tx) => setGroupRemoved(tx, run));
  }
}

async function resumeAll({ db, clock, logger, starting }: UpkeepOptions): Promise<void> {
  for (const { job_id } of await listResumable(db, clock.now())) {
    try {
      await starting.resume(job_id);
    } catch (error) {
      if (!isCodedError(error)) throw error;
      const seconds = error.details.retry_after_seconds ?? REFUSED_RETRY_MS / 1000;
      logger.info({ job_id, retry_after_seconds: seconds }, `not resumed yet: ${error.message}`);
      await db.transaction('reactor.job.resume_at', (tx) =>
        setResumeAt(tx, job_id, clock.now() + seconds * 1000),
      );
    }
  }
}
