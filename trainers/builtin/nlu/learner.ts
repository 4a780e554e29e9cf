// The model and its probes, trained side by side epoch by epoch; at the end the threshold, and the artifact.
import { nlu } from '@jarvis/model-kinds';
import type { ArtifactDraft, EpochLearner, EpochReport } from '@jarvis/trainer-kit';
import type { Corpus, Example } from './corpus.ts';
import type { Settings } from './settings.ts';
import type { SoftmaxProgress, SoftmaxRegression } from './softmax.ts';
import { chooseThreshold, type Judgement, scoreJudgements } from './threshold.ts';

const PROGRESS_FILE = 'progress.json';
/** An epoch's accuracy is a picture on a dashboard: this many rows draw it within some 20 ms. */
const REPORT_ROWS_MAX = 1000;
const METRIC_DIGITS = 6;
const JUDGE_ROWS_BETWEEN_BREATHS = 200;

/** A model under training and the rows it is judged on; the first of several is the one that is kept. */
export interface JudgedModel {
  readonly model: SoftmaxRegression;
  readonly judged: readonly Example[];
}

interface Progress {
  readonly step: number;
  readonly loss: number;
  readonly models: readonly SoftmaxProgress[];
}

function bytesOf(array: Float32Array | Int32Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

function requireBytes(
  files: Readonly<Record<string, Uint8Array>>,
  name: string,
  length?: number,
): Uint8Array {
  const bytes = files[name];
  if (bytes === undefined) throw new Error(`the checkpoint has no ${name}`);
  if (length !== undefined && bytes.byteLength !== length)
    throw new Error(`${name} has another size than the model`);
  return bytes;
}

function round(value: number): number {
  return Number(value.toFixed(METRIC_DIGITS));
}

export class NluLearner implements EpochLearner {
  readonly #corpus: Corpus;
  readonly #settings: Settings;
  readonly #models: readonly JudgedModel[];
  readonly #kept: SoftmaxRegression;
  readonly #breathe: () => Promise<void>;
  readonly #probabilities: Float32Array;
  #step = 0;
  #loss = 0;

  /** @param breathe lets the process hear its signals; must not throw */
  constructor(options: {
    corpus: Corpus;
    settings: Settings;
    models: readonly [JudgedModel, ...JudgedModel[]];
    breathe: () => Promise<void>;
  }) {
    this.#corpus = options.corpus;
    this.#settings = options.settings;
    this.#models = options.models;
    this.#kept = options.models[0].model;
    this.#breathe = options.breathe;
    this.#probabilities = new Float32Array(options.corpus.labels.length);
  }

  /** The last model to be trained in each epoch has the count. */
  get epoch(): number {
    return this.#models.at(-1)?.model.epoch ?? 0;
  }

  get step(): number {
    return this.#step;
  }

  advance(): EpochReport | null {
    const epoch = this.epoch;
    const next = this.#models.find(({ model }) => model.epoch === epoch)?.model;
    const loss = next?.step() ?? null;
    if (next === this.#kept && loss !== null) this.#loss = loss;
    this.#step += 1;
    if (this.epoch === epoch) return null;
    this.#step = 0;
    return { loss: round(this.#loss), accuracy: this.#accuracy() };
  }

  snapshot(): Record<string, Uint8Array> {
    const progress: Progress = {
      step: this.#step,
      loss: this.#loss,
      models: this.#models.map(({ model }) => model.progress),
    };
    const files: Record<string, Uint8Array> = { [PROGRESS_FILE]: Buffer.from(JSON.stringify(progress)) };
    for (const [i, { model }] of this.#models.entries()) {
      files[`parameters-${i}.f32`] = bytesOf(model.parameters);
      files[`order-${i}.i32`] = bytesOf(model.order);
    }
    return files;
  }

  restore(files: Readonly<Record<string, Uint8Array>>): void {
    const text = Buffer.from(requireBytes(files, PROGRESS_FILE)).toString('utf8');
    const progress = JSON.parse(text) as Progress;
    this.#step = progress.step;
    this.#loss = progress.loss;
    for (const [i, { model }] of this.#models.entries()) {
      const parameters = bytesOf(model.parameters);
      const order = bytesOf(model.order);
      parameters.set(requireBytes(files, `parameters-${i}.f32`, parameters.byteLength));
      order.set(requireBytes(files, `order-${i}.i32`, order.byteLength));
      const modelProgress = progress.models[i];
      if (modelProgress === undefined) throw new Error(`the checkpoint has no progress of model ${i}`);
      model.restoreProgress(modelProgress);
    }
  }

  async finish(): Promise<ArtifactDraft> {
    const { labels, vocabulary } = this.#corpus;
    const judgements = await this.#judgeAll();
    const threshold = round(chooseThreshold(judgements, labels.length));
    const scores = scoreJudgements(judgements, threshold);
    const encoding: nlu.NluEncoding = {
      scheme: nlu.NLU_SCHEME,
      features: vocabulary.size,
      unknown_idf: vocabulary.unknownIdf,
      oos_threshold: threshold,
    };
    const { features, weights, bias } = this.#kept;
    return {
      labels: [...labels],
      encoding,
      metrics: {
        loss: round(this.#loss),
        ...Object.fromEntries(Object.entries(scores).map(([name, value]) => [name, round(value)])),
      },
      config: { ...this.#settings, epochs: this.epoch },
      files: {
        [nlu.GRAPH_FILE]: nlu.writeNluGraph({ features, labels: labels.length, weights, bias }),
        [nlu.VOCABULARY_FILE]: nlu.writeVocabulary(vocabulary),
      },
    };
  }

  #judge(model: SoftmaxRegression, { vector, label }: Example): Judgement {
    const { labels } = this.#corpus;
    model.predict(vector, this.#probabilities);
    const { intent, best } = nlu.decide(labels, this.#probabilities, 0);
    return { expected: labels[label]!, answered: intent, best };
  }

  async #judgeAll(): Promise<Judgement[]> {
    const judgements: Judgement[] = [];
    for (const { model, judged } of this.#models) {
      for (const example of judged) {
        if (judgements.length % JUDGE_ROWS_BETWEEN_BREATHS === 0) await this.#breathe();
        judgements.push(this.#judge(model, example));
      }
    }
    return judgements;
  }

  /** Of all judged rows together, or of the first of them where they are many. */
  #accuracy(): number | null {
    const perModel = Math.ceil(REPORT_ROWS_MAX / this.#models.length);
    let rows = 0;
    let right = 0;
    for (const { model, judged } of this.#models) {
      for (const example of judged.slice(0, perModel)) {
        const { expected, answered } = this.#judge(model, example);
        rows += 1;
        if (expected === answered) right += 1;
      }
    }
    return rows === 0 ? null : round(right / rows);
  }
}
