// From a job and its rows to a learner at epoch 0.
import { fileURLToPath } from 'node:url';
import { breathe, codeSha256, SeededRandom, type Trainer } from '@jarvis/trainer-kit';
import { buildCorpus, type Corpus } from './corpus.ts';
import { planFits } from './holdout.ts';
import { type JudgedModel, NluLearner } from './learner.ts';
import { type Settings, settingsOf } from './settings.ts';
import { SoftmaxRegression } from './softmax.ts';

const HOLDOUT_STREAM = 0;
const FIRST_MODEL_STREAM = 1;

// What shapes the model: this folder, the encoder and graph it shares with the server, and the random numbers.
const modelKinds = new URL('.', import.meta.resolve('@jarvis/model-kinds'));
const trainerKit = new URL('.', import.meta.resolve('@jarvis/trainer-kit'));
const SOURCES = [
  { name: 'trainer', path: fileURLToPath(new URL('.', import.meta.url)) },
  { name: 'kind', path: fileURLToPath(new URL('nlu', modelKinds)) },
  { name: 'onnx.ts', path: fileURLToPath(new URL('onnx.ts', modelKinds)) },
  { name: 'random.ts', path: fileURLToPath(new URL('random.ts', trainerKit)) },
];

function judgedModels(corpus: Corpus, settings: Settings, job: { seed: number; epochs: number }) {
  const { train, validation, labels, vocabulary } = corpus;
  const fits = planFits(train, validation, SeededRandom.from(job.seed, HOLDOUT_STREAM));
  const models = fits.map(({ fitted, judged }, i): JudgedModel => {
    const model = new SoftmaxRegression({
      features: vocabulary.size,
      labels: labels.length,
      examples: fitted,
      epochs: job.epochs,
      learningRate: settings.learning_rate,
      batchRows: settings.batch_size,
      random: SeededRandom.from(job.seed, FIRST_MODEL_STREAM + i),
    });
    return { model, judged };
  });
  return models as [JudgedModel, ...JudgedModel[]];
}

export const nluTrainer: Trainer = {
  kind: 'nlu',
  resumeGrade: 'bitwise',
  codeSha256: () => codeSha256(SOURCES),
  async prepare({ job, dataset, breathe: breatheOrStop }) {
    const settings = settingsOf(job.config);
    const corpus = await buildCorpus(dataset, breatheOrStop);
    return new NluLearner({ corpus, settings, models: judgedModels(corpus, settings, job), breathe });
  },
};
