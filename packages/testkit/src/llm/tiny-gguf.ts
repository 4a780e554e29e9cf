// A language model small enough for a test, with random weights: a real GGUF file that llama.cpp loads and generates from.
// It says nothing that makes sense, and does so in some 300 kB.
//
//   header | keys and values | list of tensors | the tensors, each aligned
import { writeFile } from 'node:fs/promises';
import type { SeededRandom } from '../seeded-random.ts';

const DIMENSION = 64;
const LAYERS = 2;
const HEADS = 4;
const FEED_FORWARD = 128;
const CONTEXT_TOKENS = 512;
/** <unk>, <s>, </s>, a token for each byte, and the most common letters as a normal token each. */
const LETTERS = 'etaoinshrdlcumwfgypbvkjxqz0123456789.,!?\n';
const ALIGNMENT_BYTES = 32;
const WEIGHT_SPREAD = 0.4;

const VERSION = 3;
const TYPE = { uint32: 4, float32: 6, string: 8, array: 9, int32: 5 } as const;
const TENSOR = { f32: 0, f16: 1 } as const;
const TOKEN = { normal: 1, unknown: 2, control: 3, byte: 6 } as const;

interface Tensor {
  readonly name: string;
  /** Input first. */
  readonly shape: readonly number[];
}

function tensors(tokens: number): Tensor[] {
  const square = [DIMENSION, DIMENSION];
  const layer = (n: number): Tensor[] =>
    Object.entries({
      attn_norm: [DIMENSION],
      attn_q: square,
      attn_k: square,
      attn_v: square,
      attn_output: square,
      ffn_norm: [DIMENSION],
      ffn_gate: [DIMENSION, FEED_FORWARD],
      ffn_up: [DIMENSION, FEED_FORWARD],
      ffn_down: [FEED_FORWARD, DIMENSION],
    }).map(([name, shape]) => ({ name: `blk.${n}.${name}.weight`, shape }));
  return [
    { name: 'token_embd.weight', shape: [DIMENSION, tokens] },
    { name: 'output_norm.weight', shape: [DIMENSION] },
    ...Array.from({ length: LAYERS }, (_, n) => layer(n)).flat(),
  ];
}

/** Without one of these keys llama.cpp aborts, or generates nothing. */
function keys(): readonly (readonly [string, Buffer])[] {
  const vocabulary = [
    { text: '<unk>', type: TOKEN.unknown },
    { text: '<s>', type: TOKEN.control },
    { text: '</s>', type: TOKEN.control },
    ...Array.from({ length: 256 }, (_, byte) => ({
      text: `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`,
      type: TOKEN.byte,
    })),
    ...LETTERS.split('').map((text) => ({ text, type: TOKEN.normal })),
  ];
  return [
    ['general.architecture', string('llama')],
    ['general.name', string('tiny random llama')],
    ['llama.context_length', uint32(CONTEXT_TOKENS)],
    ['llama.embedding_length', uint32(DIMENSION)],
    ['llama.block_count', uint32(LAYERS)],
    ['llama.feed_forward_length', uint32(FEED_FORWARD)],
    ['llama.attention.head_count', uint32(HEADS)],
    ['llama.attention.layer_norm_rms_epsilon', float32(1e-5)],
    ['tokenizer.ggml.model', string('llama')],
    [
      'tokenizer.ggml.tokens',
      array(
        TYPE.string,
        vocabulary.map(({ text }) => text8(text)),
      ),
    ],
    [
      'tokenizer.ggml.scores',
      array(
        TYPE.float32,
        vocabulary.map(() => number32(0, 'float')),
      ),
    ],
    [
      'tokenizer.ggml.token_type',
      array(
        TYPE.int32,
        vocabulary.map(({ type }) => number32(type, 'int')),
      ),
    ],
    ['tokenizer.ggml.bos_token_id', uint32(1)],
    ['tokenizer.ggml.eos_token_id', uint32(2)],
  ];
}

const TOKENS = 3 + 256 + LETTERS.length;

export async function writeTinyGguf(path: string, random: Pick<SeededRandom, 'unit'>): Promise<void> {
  const values = keys();
  const list: Buffer[] = [];
  const data: Buffer[] = [];
  let offset = 0;
  const all = tensors(TOKENS);
  for (const tensor of all) {
    // llama.cpp takes norms as f32 only.
    const norm = tensor.shape.length === 1;
    list.push(
      text8(tensor.name),
      number32(tensor.shape.length, 'int'),
      ...tensor.shape.map((size) => number64(size)),
      number32(norm ? TENSOR.f32 : TENSOR.f16, 'int'),
      number64(offset),
    );
    const bytes = padded(norm ? ones(tensor) : weights(tensor, random));
    data.push(bytes);
    offset += bytes.length;
  }
  const head = Buffer.concat([
    Buffer.from('GGUF'),
    number32(VERSION, 'int'),
    number64(all.length),
    number64(values.length),
    ...values.flatMap(([key, value]) => [text8(key), value]),
    ...list,
  ]);
  await writeFile(path, Buffer.concat([padded(head), ...data]));
}

function weights({ shape }: Tensor, random: Pick<SeededRandom, 'unit'>): Buffer {
  const count = shape.reduce((product, size) => product * size, 1);
  return bufferOf(Float16Array.from({ length: count }, () => (random.unit() - 0.5) * WEIGHT_SPREAD));
}

function ones({ shape }: Tensor): Buffer {
  return bufferOf(new Float32Array(shape[0] ?? 0).fill(1));
}

function bufferOf(view: Float16Array | Float32Array): Buffer {
  return Buffer.from(view.buffer, view.byteOffset, view.byteLength);
}

function padded(bytes: Buffer): Buffer {
  const missing = (ALIGNMENT_BYTES - (bytes.length % ALIGNMENT_BYTES)) % ALIGNMENT_BYTES;
  return Buffer.concat([bytes, Buffer.alloc(missing)]);
}

function string(text: string): Buffer {
  return Buffer.concat([number32(TYPE.string, 'int'), text8(text)]);
}

function uint32(value: number): Buffer {
  return Buffer.concat([number32(TYPE.uint32, 'int'), number32(value, 'int')]);
}

function float32(value: number): Buffer {
  return Buffer.concat([number32(TYPE.float32, 'int'), number32(value, 'float')]);
}

function array(type: number, items: readonly Buffer[]): Buffer {
  const head = [number32(TYPE.array, 'int'), number32(type, 'int'), number64(items.length)];
  return Buffer.concat([...head, ...items]);
}

/** A text behind its length in bytes. */
function text8(text: string): Buffer {
  const bytes = Buffer.from(text, 'utf8');
  return Buffer.concat([number64(bytes.length), bytes]);
}

function number32(value: number, kind: 'int' | 'float'): Buffer {
  const bytes = Buffer.alloc(4);
  if (kind === 'int') bytes.writeUInt32LE(value);
  else bytes.writeFloatLE(value);
  return bytes;
}

function number64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}
