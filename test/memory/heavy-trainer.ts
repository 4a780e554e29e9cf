// A trainer by the kit that holds as much memory as it is told, all of it written: `heavy-trainer.ts KIND MIB LEAP job.json`,
// and from its third epoch LEAP MiB more, taken at once.
// What it learns is a chain of hashes, so that a run that was stopped and went on ends with the same bytes or does not.
import { modelTypeSchema } from '@jarvis/contracts';
import { breathe, nodeHost, runTrainer } from '@jarvis/trainer-kit';
import { CHAIN_START, nextLink, STEPS_PER_EPOCH } from './chain.ts';

const [kindName, mebibytes, leap, jobPath] = process.argv.slice(2);
const PAGE_BYTES = 4096;
const LEAPS_AFTER_EPOCH = 2;
const held: Buffer[] = [];
const state = { epoch: 0, step: 0, hash: CHAIN_START };
/** Of this process alone. */
let stepsDone = 0;

function take(mib: number): void {
  held.push(Buffer.alloc(mib * 1024 ** 2, 1));
}

/** Goes through all that it holds, so that none of it can be taken for unused. */
function touch(): void {
  for (const buffer of held)
    for (let at = 0; at < buffer.length; at += PAGE_BYTES) buffer[at] = (buffer[at] ?? 0) ^ 1;
}

function work(): void {
  if (state.epoch === LEAPS_AFTER_EPOCH && state.step === 0) take(Number(leap));
  state.hash = nextLink(state.hash);
  touch();
  stepsDone += 1;
  state.step = (state.step + 1) % STEPS_PER_EPOCH;
  if (state.step === 0) state.epoch += 1;
}

const trainer: Parameters<typeof runTrainer>[0] = {
  kind: modelTypeSchema.parse(kindName),
  resumeGrade: 'bitwise',
  codeSha256: () => Promise.resolve('d'.repeat(64)),
  async prepare({ dataset }) {
    take(Number(mebibytes));
    return {
      get epoch() {
        return state.epoch;
      },
      get step() {
        return state.step;
      },
      async advance() {
        await breathe();
        work();
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
          metrics: { rows: dataset.train.length, steps: stepsDone },
          config: {},
          files: { hash: Buffer.from(state.hash) },
        }),
    };
  },
};

await runTrainer(trainer, { ...nodeHost(), jobPath });
