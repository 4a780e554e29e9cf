// Softmax regression over sparse vectors, by AdaGrad, most features of a row dropped at random at each visit.
// The rate stays as it is: what is kept are the mean weights of the later epochs (Polyak and Ruppert), which wander less.
// Gradients below a thousandth are left out: late in training nearly all are, and a step costs a fraction.
import { type RandomState, SeededRandom, shuffle } from '@jarvis/trainer-kit';
import type { Example } from './corpus.ts';

const GRADIENT_MIN = 1e-3;
const BIAS_RATE = 0.1;
const SQUARES_FLOOR = 1e-8;
/** Weights are averaged over the epochs after this part of them. */
const UNAVERAGED_PART = 1 / 3;
/** Of 256: how many values of a random byte drop a feature. What stays counts for what went. */
const DROPPED_BYTES = 154;
const KEPT_SCALE = 256 / (256 - DROPPED_BYTES);
const BYTES_PER_WORD = 4;
/** At 150 labels some 2 ms of work. */
const STEP_ROWS_MIN = 32;
const LOSS_PROBABILITY_MIN = 1e-12;

export interface SoftmaxOptions {
  readonly features: number;
  readonly labels: number;
  readonly examples: readonly Example[];
  readonly epochs: number;
  readonly learningRate: number;
  readonly batchRows: number;
  readonly random: SeededRandom;
}

/** What beside the numbers in `parameters` and `order` decides the next step. */
export interface SoftmaxProgress {
  epoch: number;
  /** Rows of the epoch under way that were visited. */
  visited: number;
  loss: number;
  random: RandomState;
}

/** Part of two arrays that hold sparse vectors one after another. */
interface SparseRange {
  readonly rows: Int32Array;
  readonly values: Float32Array;
  readonly start: number;
  readonly end: number;
}

export class SoftmaxRegression {
  readonly features: number;
  readonly labels: number;
  /** In one block: weights [features * labels] and bias [labels], their means, their summed squares of gradients. */
  readonly parameters: Float32Array;
  /** The order in which this epoch visits the examples. */
  readonly order: Int32Array;
  readonly #weights: Float32Array;
  readonly #bias: Float32Array;
  readonly #means: Float32Array;
  readonly #weightSquares: Float32Array;
  readonly #biasSquares: Float32Array;
  readonly #options: SoftmaxOptions;
  readonly #active: Int32Array;
  readonly #gradients: Float32Array;
  // Of each row of a batch, the features that were kept: rows of the weights and values, one batch row after another.
  readonly #keptRows: Int32Array;
  readonly #keptValues: Float32Array;
  readonly #keptEnds: Int32Array;
  #random: SeededRandom;
  #epoch = 0;
  #visited = 0;
  #loss = 0;

  constructor(options: SoftmaxOptions) {
    const { features, labels, examples, batchRows } = options;
    const size = features * labels;
    const longest = examples.reduce((most, { vector }) => Math.max(most, vector.rows.length), 0);
    this.#options = options;
    this.features = features;
    this.labels = labels;
    const block = size + labels;
    this.parameters = new Float32Array(3 * block);
    this.#weights = this.parameters.subarray(0, size);
    this.#bias = this.parameters.subarray(size, block);
    this.#means = this.parameters.subarray(block, 2 * block);
    this.#weightSquares = this.parameters.subarray(2 * block, 2 * block + size);
    this.#biasSquares = this.parameters.subarray(2 * block + size);
    this.order = Int32Array.from(examples, (_, i) => i);
    this.#active = new Int32Array(labels);
    this.#gradients = new Float32Array(batchRows * labels);
    this.#keptRows = new Int32Array(batchRows * longest);
    this.#keptValues = new Float32Array(batchRows * longest);
    this.#keptEnds = new Int32Array(batchRows);
    this.#random = options.random;
  }

  /** Epochs completed. */
  get epoch(): number {
    return this.#epoch;
  }

  get progress(): SoftmaxProgress {
    return { epoch: this.#epoch, visited: this.#visited, loss: this.#loss, random: this.#random.state };
  }

  restoreProgress({ epoch, visited, loss, random }: SoftmaxProgress): void {
    this.#epoch = epoch;
    this.#visited = visited;
    this.#loss = loss;
    this.#random = new SeededRandom(random);
  }

  /** Visits some rows. @returns the epoch's mean loss when it was the last of an epoch */
  step(): number | null {
    if (this.#visited === 0) {
      shuffle(this.order, this.#random);
      this.#loss = 0;
    }
    const rows = this.order.length;
    const { batchRows } = this.#options;
    const end = Math.min(rows, this.#visited + batchRows * Math.ceil(STEP_ROWS_MIN / batchRows));
    for (let start = this.#visited; start < end; start += batchRows) {
      this.#fitBatch(start, Math.min(end, start + batchRows));
    }
    this.#visited = end;
    if (end < rows) return null;
    this.#visited = 0;
    this.#epoch += 1;
    this.#average();
    return this.#loss / Math.max(1, rows);
  }

  /** [features * labels], the mean of the later epochs. */
  get weights(): Float32Array {
    return this.#means.subarray(0, this.features * this.labels);
  }

  /** [labels], the mean of the later epochs. */
  get bias(): Float32Array {
    return this.#means.subarray(this.features * this.labels);
  }

  /** Probabilities [labels] of one vector, by the means, nothing dropped, written to `into`. */
  predict({ rows, values }: Example['vector'], into: Float32Array): void {
    into.set(this.bias);
    this.#addLayers(this.weights, { rows, values, start: 0, end: rows.length }, into);
    softmax(into);
  }

  /** The mean of the epochs from the first averaged one to this; before it, simply this one. */
  #average(): void {
    const means = this.#means;
    const now = this.parameters;
    const averaged = Math.max(1, this.#epoch - Math.floor(this.#options.epochs * UNAVERAGED_PART));
    for (let i = 0; i < means.length; i++) means[i]! += (now[i]! - means[i]!) / averaged;
  }

  #fitBatch(start: number, end: number): void {
    const { examples, learningRate: rate } = this.#options;
    const { labels } = this;
    let kept = 0;
    for (let i = start; i < end; i++) {
      const { vector: whole, label } = examples[this.order[i]!]!;
      const gradient = this.#gradients.subarray((i - start) * labels, (i - start + 1) * labels);
      const from = kept;
      kept = this.#keepSome(whole, kept);
      this.#keptEnds[i - start] = kept;
      gradient.set(this.#bias);
      const vector = { rows: this.#keptRows, values: this.#keptValues, start: from, end: kept };
      this.#addLayers(this.#weights, vector, gradient);
      softmax(gradient);
      this.#loss -= Math.log(Math.max(gradient[label]!, LOSS_PROBABILITY_MIN));
      gradient[label]! -= 1;
    }
    for (let i = 0; i < end - start; i++) {
      const from = i === 0 ? 0 : this.#keptEnds[i - 1]!;
      this.#descend(this.#gradients.subarray(i * labels, (i + 1) * labels), from, this.#keptEnds[i]!, rate);
    }
  }

  /** Copies the features that one random byte each lets through. @returns where the copies end */
  #keepSome({ rows, values }: Example['vector'], start: number): number {
    let end = start;
    let bytes = 0;
    for (let i = 0; i < rows.length; i++) {
      bytes = i % BYTES_PER_WORD === 0 ? this.#random.uint32() : bytes >>> 8;
      if ((bytes & 0xff) < DROPPED_BYTES) continue;
      this.#keptRows[end] = rows[i]!;
      this.#keptValues[end] = values[i]! * KEPT_SCALE;
      end += 1;
    }
    return end;
  }

  #addLayers(weights: Float32Array, { rows, values, start, end }: SparseRange, into: Float32Array): void {
    const { labels } = this;
    for (let i = start; i < end; i++) {
      const at = rows[i]! * labels;
      const value = values[i]!;
      for (let label = 0; label < labels; label++) into[label]! += value * weights[at + label]!;
    }
  }

  #descend(gradient: Float32Array, start: number, end: number, rate: number): void {
    const { labels } = this;
    const weights = this.#weights;
    const bias = this.#bias;
    const active = this.#active;
    const weightSquares = this.#weightSquares;
    let count = 0;
    for (let label = 0; label < labels; label++) {
      if (Math.abs(gradient[label]!) > GRADIENT_MIN) active[count++] = label;
    }
    for (let i = start; i < end; i++) {
      const at = this.#keptRows[i]! * labels;
      const value = this.#keptValues[i]!;
      for (let j = 0; j < count; j++) {
        const label = active[j]!;
        const slope = value * gradient[label]!;
        const squares = weightSquares[at + label]! + slope * slope;
        weightSquares[at + label] = squares;
        weights[at + label]! -= (rate * slope) / Math.sqrt(squares + SQUARES_FLOOR);
      }
    }
    for (let j = 0; j < count; j++) {
      const label = active[j]!;
      const slope = gradient[label]!;
      this.#biasSquares[label]! += slope * slope;
      bias[label]! -= (rate * BIAS_RATE * slope) / Math.sqrt(this.#biasSquares[label]! + SQUARES_FLOOR);
    }
  }
}

/** Logits to probabilities, in place. */
function softmax(logits: Float32Array): void {
  let largest = -Infinity;
  for (let i = 0; i < logits.length; i++) largest = Math.max(largest, logits[i]!);
  let sum = 0;
  for (let i = 0; i < logits.length; i++) {
    const power = Math.exp(logits[i]! - largest);
    logits[i] = power;
    sum += power;
  }
  for (let i = 0; i < logits.length; i++) logits[i]! /= sum;
}
