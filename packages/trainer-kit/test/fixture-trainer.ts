// A trainer that learns to count, run as a child: each step adds a random word to its sum. It stops for nothing by itself
// before the job's epochs are over; `model_architecture` tells it to fail instead.
import { breathe, runTrainer, SeededRandom, TrainerFailure } from '@jarvis/trainer-kit';

const STEPS_PER_EPOCH = 4;
const state = { epoch: 0, step: 0, sum: 0, random: SeededRandom.from(7).state };

await runTrainer({
  kind: 'nlu',
  resumeGrade: 'bitwise',
  codeSha256: () => Promise.resolve('d'.repeat(64)),
  async prepare({ job, dataset, breathe: breatheOrStop }) {
    await breatheOrStop();
    const { model_architecture: fault } = job.config;
    if (fault === 'coded') throw new TrainerFailure('unsupported_config', 'as asked');
    if (fault === 'crash') throw new TypeError('as asked');
    return {
      get epoch() {
        return state.epoch;
      },
      get step() {
        return state.step;
      },
      async advance() {
        await breathe();
        const random = new SeededRandom(state.random);
        state.sum = (state.sum + random.below(1000)) % 1_000_003;
        state.random = random.state;
        state.step = (state.step + 1) % STEPS_PER_EPOCH;
        if (state.step > 0) return null;
        state.epoch += 1;
        return { loss: 1 / state.epoch, accuracy: null };
      },
      snapshot: () => ({ state: Buffer.from(JSON.stringify(state)) }),
      restore(files) {
        Object.assign(state, JSON.parse(String(files['state'])));
      },
      finish: () =>
        Promise.resolve({
          labels: dataset.train.map(({ id }) => id),
          encoding: {},
          metrics: { sum: state.sum },
          config: {},
          files: { sum: Buffer.from(String(state.sum)) },
        }),
    };
  },
});
