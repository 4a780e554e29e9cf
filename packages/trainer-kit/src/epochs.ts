// The loop every trainer shares: a slice of work, breathe, report an epoch, save in between, stop when asked.
import type { Metrics, TrainerEventBody, TrainerJob } from '@jarvis/contracts';
import type { ArtifactDraft } from './artifact.ts';
import type { CheckpointStore } from './checkpoints.ts';

export interface EpochReport {
  readonly loss: number;
  /** On rows that were not fitted; null when there were none. */
  readonly accuracy: number | null;
  readonly metrics?: Metrics;
}

/** Something that learns in epochs, whose whole state fits in a checkpoint. */
export interface EpochLearner {
  /** Epochs completed. */
  readonly epoch: number;
  /** Steps done of the epoch under way; 0 between epochs. */
  readonly step: number;
  /** One step of at most some 50 ms. @returns the report when it was the last of an epoch */
  advance(): EpochReport | null | Promise<EpochReport | null>;
  /** Everything that decides what the next step does. */
  snapshot(): Record<string, Uint8Array>;
  /** Back to a snapshot. */
  restore(files: Readonly<Record<string, Uint8Array>>): void;
  /** After the last epoch. */
  finish(): Promise<ArtifactDraft>;
}

export interface EpochRun {
  readonly job: TrainerJob;
  readonly learner: EpochLearner;
  /** Null when the job wants no checkpoints. */
  readonly checkpoints: CheckpointStore | null;
  readonly emit: (event: TrainerEventBody) => void;
  /** Called with each step: it is at work, though an epoch may take long. */
  readonly alive: () => void;
  readonly stopRequested: () => boolean;
}

/** Lets signals, timers and reads have their turn. */
export function breathe(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

function metricsOf(report: EpochReport | null): Metrics {
  if (report === null) return {};
  const accuracy = report.accuracy === null ? {} : { accuracy: report.accuracy };
  return { loss: report.loss, ...accuracy, ...report.metrics };
}

/** Trains to the last epoch. @returns false when it was stopped before, its state saved and `preempted` emitted */
export async function trainEpochs(run: EpochRun): Promise<boolean> {
  const { job, learner, checkpoints, emit } = run;
  const position = () => `${learner.epoch}/${learner.step}`;
  let saved = position();
  let last: EpochReport | null = null;

  async function save(): Promise<void> {
    if (checkpoints === null || saved === position()) return;
    const { epoch, step } = learner;
    const metrics = metricsOf(last);
    const path = await checkpoints.save({ epoch, step, metrics, files: learner.snapshot() });
    saved = position();
    emit({ type: 'checkpoint', epoch, path, metrics });
  }

  while (learner.epoch < job.epochs) {
    await breathe();
    if (run.stopRequested()) {
      await save();
      emit({ type: 'preempted', epoch: checkpoints === null ? 0 : learner.epoch });
      return false;
    }
    const report = await learner.advance();
    run.alive();
    if (report === null) continue;
    last = report;
    emit({ type: 'progress', epoch: learner.epoch, total_epochs: job.epochs, ...report });
    if (learner.epoch % job.checkpoint.interval_epochs === 0 && learner.epoch < job.epochs) await save();
  }
  return true;
}
