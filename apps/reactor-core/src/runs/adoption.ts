// After a restart: every run that was live is either followed again, or its last events are read and it is ended.
//
//   pid in the store or owner.json, and that process lives  -> follow on
//   gone                                                    -> read the rest; `completed` counts, else lost
//   never claimed: no owner.json                            -> claim it ourselves, so that no trainer can any more
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { invariant, type TrainerOwner, trainerOwnerSchema } from '@jarvis/contracts';
import type { Logger } from '@jarvis/runtime';
import type { Database } from '@jarvis/store';
import type { AdoptedIdentity, Executor, TrainerProcess } from '../executors/executor.ts';
import { findJob } from '../store/jobs.ts';
import { listLiveRuns, type RunRow, setProcess } from '../store/runs.ts';
import type { Launching } from './launching.ts';
import type { LiveRuns } from './live-runs.ts';
import type { RunFolder } from './run-folder.ts';

/** No process ever had this start time: an owner that nobody is. */
const NOBODYS_TICKS = '0';

export interface AdoptionOptions {
  readonly db: Database;
  readonly logger: Logger;
  readonly folder: RunFolder;
  readonly executor: Executor;
  readonly live: LiveRuns;
  readonly launching: Launching;
  readonly stopGraceMs: number;
  readonly ownPid: number;
}

/** To be awaited before the first start is accepted. */
export async function adoptRuns(options: AdoptionOptions): Promise<void> {
  for (const run of await listLiveRuns(options.db)) await adoptRun(run, options);
}

async function adoptRun(run: RunRow, options: AdoptionOptions): Promise<void> {
  const { db, logger, executor, live, launching, stopGraceMs } = options;
  const { job_id, attempt } = run;
  const job = await findJob(db, job_id);
  invariant(job !== undefined, 'a run has a job');
  const process = await executor.adopt(await identitiesOf(run, options));
  if (process === null) {
    logger.info({ job_id, attempt }, 'the trainer is gone: reading its last events');
    return launching.settle(job, run, null);
  }
  logger.info({ job_id, attempt, pid: process.pid }, 'a trainer that went on is followed again');
  await db.transaction('reactor.run.process', (tx) => setProcess(tx, run, process));
  const followed = launching.follow(job, run, process);
  live.add(followed);
  if (run.stop_asked !== null) void followed.stop(stopGraceMs);
}

async function identitiesOf(run: RunRow, options: AdoptionOptions): Promise<AdoptedIdentity[]> {
  const spawned =
    run.pid === null || run.started_ticks === null ? [] : [{ pid: run.pid, startedTicks: run.started_ticks }];
  const owner = await claimOrReadOwner(run, options);
  if (owner === null) {
    // Nobody claimed it, and nobody can now; one that is just starting will find that out and leave.
    const starting: TrainerProcess | null = await options.executor.adopt(spawned);
    await starting?.stop(options.stopGraceMs);
    return [];
  }
  const ticks = owner.started_ticks === null ? null : Number(owner.started_ticks);
  return [...spawned, { pid: owner.pid, startedTicks: ticks }];
}

/** Null when no trainer has claimed this attempt; then it is claimed in nobody's name. */
async function claimOrReadOwner(
  run: RunRow,
  { folder, ownPid, logger }: AdoptionOptions,
): Promise<TrainerOwner | null> {
  const { owner, folder: attempt } = folder.attempt(run);
  const nobody: TrainerOwner = { pid: ownPid, started_ticks: NOBODYS_TICKS, token: run.trainer_token };
  const draft = `${owner}.nobody`;
  await mkdir(attempt, { recursive: true, mode: 0o700 });
  await writeFile(draft, `${JSON.stringify(nobody)}\n`);
  try {
    await link(draft, owner);
    return null;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await rm(draft, { force: true });
  }
  try {
    return trainerOwnerSchema.parse(JSON.parse(await readFile(owner, 'utf8')));
  } catch (error) {
    logger.warn({ job_id: run.job_id, err: error }, 'owner.json of a trainer cannot be read');
    return nobody;
  }
}
