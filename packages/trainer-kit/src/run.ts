// A trainer's life, in order: read the job, claim the run, read the data, resume, train, publish, say how it ended.
import { readFile } from 'node:fs/promises';
import {
  type ModelType,
  TRAINER_EXIT_FAILED,
  TRAINER_EXIT_OWNED,
  TRAINER_EXIT_PREEMPTED,
  type TrainerJob,
  trainerJobSchema,
} from '@jarvis/contracts';
import { armFailpoints } from '@jarvis/failpoints';
import { publishArtifact } from './artifact.ts';
import { CheckpointStore } from './checkpoints.ts';
import { type Dataset, readDataset } from './dataset.ts';
import { breathe, type EpochLearner, trainEpochs } from './epochs.ts';
import { EventLog } from './events.ts';
import { toFailure, TrainerFailure } from './failure.ts';
import { nodeHost, type TrainerHost } from './host.ts';
import { configSha256 } from './identity.ts';
import { claimRun } from './owner.ts';
import { StopFlag, StopRequested } from './stop.ts';

export interface TrainerContext {
  readonly job: TrainerJob;
  readonly dataset: Dataset;
  /** To be awaited at least every 100 ms of work; throws when the trainer has to stop. */
  readonly breathe: () => Promise<void>;
}

/** What a kind of model brings to be trained. */
export interface Trainer {
  readonly kind: ModelType;
  readonly resumeGrade: 'bitwise' | 'statistical' | 'restart';
  /** One hash over the sources that shape the result. */
  codeSha256(): Promise<string>;
  /** Makes a learner at epoch 0. @throws {TrainerFailure} when job or data can't be used */
  prepare(context: TrainerContext): Promise<EpochLearner>;
}

const EXIT_COMPLETED = 0;

interface Run {
  readonly trainer: Trainer;
  readonly job: TrainerJob;
  readonly host: TrainerHost;
  readonly events: EventLog;
  readonly stop: StopFlag;
}

async function readJob(path: string | undefined): Promise<TrainerJob> {
  if (path === undefined) throw new TrainerFailure('invalid_job', 'usage: main.ts <job.json>');
  try {
    return trainerJobSchema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch (error) {
    throw new TrainerFailure('invalid_job', `${path} is no trainer job: ${String(error)}`, { cause: error });
  }
}

function checkpointsOf(job: TrainerJob, codeSha256: string): CheckpointStore | null {
  if (!job.checkpoint.enabled) return null;
  const identity = {
    job_id: job.job_id,
    dataset_sha256: job.dataset.sha256,
    config_sha256: configSha256(job),
    code_sha256: codeSha256,
  };
  const { dir, keep_last: keepLast } = job.checkpoint;
  return new CheckpointStore({ dir, identity, token: job.token, keepLast });
}

async function train({ trainer, job, events, stop }: Run): Promise<number> {
  if (trainer.kind !== job.model_type) {
    throw new TrainerFailure(
      'unsupported_model_type',
      `this trainer makes ${trainer.kind}, not ${job.model_type}`,
    );
  }
  const breatheOrStop = async () => {
    await breathe();
    events.alive();
    if (stop.raised) throw new StopRequested();
  };
  const codeSha256 = await trainer.codeSha256();
  const checkpoints = checkpointsOf(job, codeSha256);
  const checkpoint = (await checkpoints?.resume()) ?? null;
  const resumedFrom = checkpoint?.manifest.epoch ?? 0;
  let learner: EpochLearner;
  try {
    const dataset = await readDataset(job.dataset, breatheOrStop);
    learner = await trainer.prepare({ job, dataset, breathe: breatheOrStop });
  } catch (error) {
    if (!(error instanceof StopRequested)) throw error;
    events.emit({ type: 'preempted', epoch: resumedFrom });
    return TRAINER_EXIT_PREEMPTED;
  }
  if (checkpoint !== null) learner.restore(checkpoint.files);
  events.emit({
    type: 'started',
    total_epochs: job.epochs,
    resumed_from_epoch: resumedFrom,
    resume_grade: trainer.resumeGrade,
  });
  const finished = await trainEpochs({
    job,
    learner,
    checkpoints,
    emit: (event) => events.emit(event),
    alive: () => events.alive(),
    stopRequested: () => stop.raised,
  });
  if (!finished) return TRAINER_EXIT_PREEMPTED;
  const draft = await learner.finish();
  await publishArtifact(draft, job, codeSha256);
  events.emit({ type: 'completed', metrics: draft.metrics });
  return EXIT_COMPLETED;
}

async function live(trainer: Trainer, host: TrainerHost, stop: StopFlag): Promise<number> {
  host.onStopSignal(() => stop.raise());
  let events: EventLog | undefined;
  try {
    const job = await readJob(host.jobPath);
    if (!(await claimRun(job, host))) {
      host.complain(`${job.owner_path} is there: another trainer runs this attempt`);
      return TRAINER_EXIT_OWNED;
    }
    events = new EventLog(job, host);
    stop.watch(job, host);
    return await train({ trainer, job, host, events, stop });
  } catch (error) {
    const { code, message, retryable, cause } = toFailure(error);
    // What nobody foresaw needs its stack; what has a code says what to do.
    host.complain(code === 'internal' && cause instanceof Error ? (cause.stack ?? message) : message);
    events?.emit({ type: 'failed', code, message, retryable });
    return TRAINER_EXIT_FAILED;
  } finally {
    stop.close();
    events?.close();
  }
}

/**
 * Runs a trainer to its end and sets the exit code: 0 completed, else one of TRAINER_EXIT_*.
 * The process ends by itself once nothing is left to do.
 */
export async function runTrainer(trainer: Trainer, host: TrainerHost = nodeHost()): Promise<void> {
  armFailpoints(host.environment);
  host.setExitCode(await live(trainer, host, new StopFlag()));
}
