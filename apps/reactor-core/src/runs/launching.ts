// From an accepted run to a live trainer: job.json is written, the program started, its process noted, its events read.
import { mkdir, open } from 'node:fs/promises';
import {
  isTerminal,
  RUN_LIFECYCLE,
  TRAINER_PROTOCOL_VERSION,
  type TrainerJob,
  trainerConfigSchema,
} from '@jarvis/contracts';
import { durably } from '@jarvis/failpoints';
import type { Clock, Logger } from '@jarvis/runtime';
import type { Database } from '@jarvis/store';
import { type Executor, neverStarted, type TrainerExit, type TrainerProcess } from '../executors/executor.ts';
import type { MemoryGroups } from '../executors/memory-groups.ts';
import type { JobRow } from '../store/jobs.ts';
import { setLimit } from '../store/run-memory.ts';
import { askStop, findRun, type RunRow, setProcess } from '../store/runs.ts';
import { EventTail } from './event-tail.ts';
import type { Finishing } from './finishing.ts';
import { LiveRun } from './live-run.ts';
import type { LiveRuns } from './live-runs.ts';
import { limitBytesFor } from './memory-verdict.ts';
import type { MemoryWatch } from './memory-watch.ts';
import { Misbehaviour } from './misbehaviour.ts';
import { needOf } from './queries.ts';
import type { RunFolder } from './run-folder.ts';
import type { RunStream } from './run-stream.ts';
import { TrainerEvents } from './trainer-events.ts';

export interface LaunchingOptions {
  readonly db: Database;
  readonly stream: RunStream;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly folder: RunFolder;
  readonly executor: Executor;
  readonly live: LiveRuns;
  readonly finishing: Finishing;
  readonly groups: MemoryGroups;
  readonly memory: MemoryWatch;
  /** Whether trainers are held to what is reserved for them. */
  readonly limited: boolean;
  readonly checkpointsKept: number;
  readonly orphanGraceSeconds: number;
  readonly silenceLimitSeconds: number;
  readonly stopGraceMs: number;
}

export class Launching {
  readonly #options: LaunchingOptions;

  constructor(options: LaunchingOptions) {
    this.#options = options;
  }

  /** A program that cannot be started ends the run, as one that died at once. */
  async launch(job: JobRow, accepted: RunRow): Promise<void> {
    const { live, db, logger } = this.#options;
    const { job_id, attempt } = accepted;
    const run = await this.#limited(accepted);
    let process: TrainerProcess;
    try {
      process = await this.#spawn(job, run);
    } catch (error) {
      logger.error({ job_id, err: error }, 'the trainer could not be started');
      live.add(this.follow(job, run, neverStarted((error as Error).message)));
      return;
    }
    // Followed first: a trainer that runs holds its slot, also when the disk is full and nothing can be noted of it.
    live.add(this.follow(job, run, process));
    logger.info({ job_id, attempt, pid: process.pid }, 'a trainer runs');
    await db
      .transaction('reactor.run.process', (tx) => setProcess(tx, run, process))
      .catch((error: unknown) => logger.error({ job_id, err: error }, "a trainer's pid could not be stored"));
  }

  /** What is reserved for a run is the most that its trainer may take. */
  async #limited(run: RunRow): Promise<RunRow> {
    const { db, groups, logger, limited } = this.#options;
    const { job_id } = run;
    const need = needOf(run);
    if (!limited || need === null) return run;
    const ram_bytes = limitBytesFor(need.ram_bytes);
    const { way, group, detail } = await groups.make(run, ram_bytes);
    if (detail !== '')
      logger.info({ job_id, way, detail }, 'the memory limit of a trainer does not hold all');
    await db
      .transaction('reactor.run.limit', (tx) => setLimit(tx, run, { way, ram_bytes, group }))
      .catch((error: unknown) =>
        logger.error({ job_id, err: error }, "a trainer's limit could not be stored"),
      );
    return { ...run, limit_way: way, limit_bytes: ram_bytes, memory_group: group };
  }

  async #spawn(job: JobRow, run: RunRow): Promise<TrainerProcess> {
    const files = this.#options.folder.attempt(run);
    await mkdir(files.folder, { recursive: true, mode: 0o700 });
    await writeSynced(files.heartbeat, '');
    await durably('reactor.trainer.files', () =>
      writeSynced(files.job, `${JSON.stringify(this.#jobFile(job, run), null, 2)}\n`),
    );
    const order = {
      modelType: job.model_type,
      jobPath: files.job,
      outputPath: files.output,
      cwd: files.folder,
      memoryGroup: run.memory_group,
    };
    return durably('reactor.trainer.spawn', () => this.#options.executor.start(order));
  }

  /** Also for a trainer that was found alive after a restart. */
  follow(job: JobRow, run: RunRow, process: TrainerProcess): LiveRun {
    const { db, folder, clock, logger, silenceLimitSeconds, stopGraceMs } = this.#options;
    const files = folder.attempt(run);
    return new LiveRun({
      run,
      process,
      folder: files.folder,
      tail: new EventTail(files.events, run.events_offset),
      events: this.#eventsOf(job, run),
      misbehaviour: new Misbehaviour({
        silenceLimitMs: silenceLimitSeconds * 1000,
        stopGraceMs,
        longestPauseMs: run.longest_pause_ms,
        nowMs: clock.monotonic(),
      }),
      note: ({ why, words }) =>
        db.transaction('reactor.run.ask_stop', async (tx) => void (await askStop(tx, run, why, words))),
      clock,
      logger,
      finish: (exit) => this.#finish(run, exit),
    });
  }

  /** Takes in what a trainer that is gone left behind, and ends its run. */
  async settle(job: JobRow, run: RunRow, exit: TrainerExit | null): Promise<void> {
    const tail = new EventTail(this.#options.folder.attempt(run).events, run.events_offset);
    const events = this.#eventsOf(job, run);
    for (let batch = await tail.next(); batch !== null; batch = await tail.next()) {
      await events.apply(batch, run.longest_pause_ms);
      tail.accept(batch);
    }
    await this.#finish(run, exit);
  }

  async #finish(run: RunRow, exit: TrainerExit | null): Promise<void> {
    const { memory, finishing } = this.#options;
    await finishing.finish(run, exit, await memory.endOf(run, exit));
    memory.forget(run);
    const ended = await findRun(this.#options.db, run);
    if (ended === undefined || !isTerminal(RUN_LIFECYCLE, ended.state)) return;
    const { job_id, attempt, state, error, cause, peak_ram_bytes, bad_lines } = ended;
    this.#options.logger.info(
      { job_id, attempt, state, error, cause, peak_ram_bytes, bad_lines },
      'a run has ended',
    );
  }

  #eventsOf(job: JobRow, run: RunRow): TrainerEvents {
    const { db, stream, clock, logger } = this.#options;
    return new TrainerEvents({
      db,
      stream,
      clock,
      logger,
      run: { job_id: run.job_id, attempt: run.attempt },
      trainerToken: run.trainer_token,
      totalEpochs: job.epochs,
      told: run.told,
    });
  }

  #jobFile(job: JobRow, run: RunRow): TrainerJob {
    const { folder, checkpointsKept, orphanGraceSeconds, silenceLimitSeconds } = this.#options;
    const files = folder.attempt(run);
    return {
      protocol: TRAINER_PROTOCOL_VERSION,
      job_id: job.job_id,
      attempt: run.attempt,
      model_type: job.model_type,
      token: run.trainer_token,
      seed: job.seed,
      epochs: job.epochs,
      config: trainerConfigSchema.parse(JSON.parse(job.config)),
      dataset: { path: folder.dataset(job.job_id), sha256: job.dataset_sha256, rows: job.dataset_rows },
      parent_version: job.parent_version,
      checkpoint: {
        enabled: job.checkpoint_enabled === 1,
        interval_epochs: job.checkpoint_interval,
        dir: folder.checkpoints(job.job_id),
        keep_last: checkpointsKept,
      },
      events_path: files.events,
      owner_path: files.owner,
      artifact_dir: files.artifact,
      heartbeat_path: files.heartbeat,
      orphan_grace_seconds: orphanGraceSeconds,
      silence_limit_seconds: silenceLimitSeconds,
    };
  }
}

async function writeSynced(path: string, text: string): Promise<void> {
  const file = await open(path, 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}
