// A trainer of any kind, by the kit, for runs of the whole system: `small-trainer.ts KIND job.json`. It does some work in
// each epoch, so that a kill meets it there, and learns next to nothing. With very many epochs it babbles: it tells of one
// every few milliseconds, faster than is passed on, and takes its time over the last few.
import { createHash } from 'node:crypto';
import { modelTypeSchema } from '@jarvis/contracts';
import { breathe, runTrainer, nodeHost } from '@jarvis/trainer-kit';

const [kindName, jobPath] = process.argv.slice(2);
const HASHES_PER_STEP = 4_000;
const STEPS_PER_EPOCH = 10;
const BABBLING_EPOCHS_FROM = 100;
const BABBLING_EPOCH_MS = 3;
const SLOW_EPOCHS = 5;
const SLOW_EPOCH_MS = 300;
const state = { epoch: 0, step: 0, hash: 'begin' };

function work(): void {
  for (let i = 0; i < HASHES_PER_STEP; i++)
    state.hash = createHash('sha256').update(state.hash).digest('hex');
  state.step = (state.step + 1) % STEPS_PER_EPOCH;
  if (state.step === 0) state.epoch += 1;
}

/** A whole epoch of a job that babbles. */
async function babble(epochs: number): Promise<void> {
  const ms = state.epoch < epochs - SLOW_EPOCHS ? BABBLING_EPOCH_MS : SLOW_EPOCH_MS;
  await new Promise((resolve) => setTimeout(resolve, ms));
  state.epoch += 1;
}

const trainer: Parameters<typeof runTrainer>[0] = {
  kind: modelTypeSchema.parse(kindName),
  resumeGrade: 'bitwise',
  codeSha256: () => Promise.resolve('c'.repeat(64)),
  async prepare({ dataset, job }) {
    return {
      get epoch() {
        return state.epoch;
      },
      get step() {
        return state.step;
      },
      async advance() {
        await breathe();
        if (job.epochs >= BABBLING_EPOCHS_FROM) await babble(job.epochs);
        else work();
        return state.step === 0 ? { loss: 1 / state.epoch, accuracy: null } : null;
      },
      snapshot: () => ({ state: Buffer.from(JSON.stringify(state)) }),
      restore(files) {
        Object.assign(state, JSON.parse(String(files['state'])));
      },
      finish: () =>
        Promise.resolve({
          labels: [],
          encoding: {},
          metrics: { rows: dataset.train.length },
          config: {},
          files: { hash: Buffer.from(state.hash) },
        }),
    };
  },
};

await runTrainer(trainer, { ...nodeHost(), jobPath });
