// What a trainer in Node stands on: the trainer protocol, atomic checkpoints, exact resume, seeded random.
export { codeSha256, configSha256, type SourceFolder } from './identity.ts';
export { type Dataset, readDataset, type TrainingRow } from './dataset.ts';
export { isTrainerFailure, TRAINER_FAILURES, TrainerFailure, type TrainerFailureCode } from './failure.ts';
export type { ArtifactDraft } from './artifact.ts';
export { type Checkpoint, CheckpointStore, type CheckpointIdentity } from './checkpoints.ts';
export { breathe, type EpochLearner, type EpochReport } from './epochs.ts';
export { nodeHost, type TrainerHost } from './host.ts';
export { type RandomState, SeededRandom, shuffle } from './random.ts';
export { runTrainer, type Trainer, type TrainerContext } from './run.ts';
