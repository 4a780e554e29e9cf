// The codec of tensors: what is written is read back, and bytes from anybody are read, or refused with a code; nothing else.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isCodedError } from '@jarvis/contracts';
import type { TensorSignature } from '@jarvis/model-kinds';
import * as fc from 'fast-check';
import {
  readBytesElements,
  readFloats,
  writeBytesElements,
  writeFloats,
} from '../../src/protocols/inference-v2/binary.ts';
import { splitBody } from '../../src/protocols/inference-v2/body.ts';
import { type RequestTensor, inferRequestSchema } from '../../src/protocols/inference-v2/messages.ts';
import { readInputs, ROWS_PER_REQUEST_MAX } from '../../src/protocols/inference-v2/request-tensors.ts';
import { wantedOutputs, writeOutputs } from '../../src/protocols/inference-v2/response-tensors.ts';

/** Every shape of tensor that the table may have: elements, numbers, rows of numbers. */
const signature: TensorSignature = {
  inputs: [
    { name: 'word', datatype: 'BYTES', shape: [-1] },
    { name: 'vector', datatype: 'FP32', shape: [-1, 3] },
  ],
  outputs: [
    { name: 'word', datatype: 'BYTES', shape: [-1] },
    { name: 'vector', datatype: 'FP32', shape: [-1, 3] },
  ],
  toInput: ({ word, vector }) => ({ word: word?.toString(), vector: Array.from(vector as Float32Array) }),
  fromPrediction: ({ output }) => ({
    word: output['word'] as string,
    vector: Float32Array.from(output['vector'] as number[]),
  }),
};

const words = fc.array(fc.string({ unit: 'binary', maxLength: 40 }), { maxLength: 30 });
const floats = fc.array(fc.float({ noNaN: true }), { maxLength: 60 });
const bytes = fc.uint8Array({ maxLength: 400 }).map((array) => Buffer.from(array));

/** The value, or the refusal; any other throw is a crash. */
function readOrRefused<T>(read: () => T): T | 'refused' {
  try {
    return read();
  } catch (error) {
    assert.ok(isCodedError(error), String(error));
    assert.ok(['invalid_request', 'malformed_json'].includes(error.code));
    return 'refused';
  }
}

test('elements of BYTES and numbers come back as they were', () => {
  fc.assert(
    fc.property(words, (texts) => {
      const read = readBytesElements('word', writeBytesElements(texts), texts.length);
      assert.deepEqual(
        read.map((element) => element.toString('hex')),
        texts.map((text) => Buffer.from(text).toString('hex')),
      );
    }),
  );
  fc.assert(
    fc.property(floats, (numbers) => {
      const read = readFloats('vector', writeFloats(numbers), numbers.length);
      assert.deepEqual(read, Float32Array.from(numbers));
    }),
  );
});

test('a length is four bytes, little-endian', () => {
  assert.deepEqual(writeBytesElements(['ä', '']), Buffer.from([2, 0, 0, 0, 0xc3, 0xa4, 0, 0, 0, 0]));
  assert.deepEqual(writeFloats([1, -2]), Buffer.from([0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0]));
});

test('whatever the bytes, they are read in full or refused', () => {
  fc.assert(
    fc.property(bytes, fc.nat({ max: 50 }), (hostile, count) => {
      const elements = readOrRefused(() => readBytesElements('word', hostile, count));
      if (elements !== 'refused') {
        assert.equal(elements.length, count);
        const used = elements.reduce((sum, element) => sum + 4 + element.length, 0);
        assert.equal(used, hostile.length, 'no byte is left over');
      }
      const numbers = readOrRefused(() => readFloats('vector', hostile, count));
      assert.equal(numbers !== 'refused', hostile.length === 4 * count);
    }),
    { numRuns: 1000 },
  );
});

test('binary data that is cut off, or too long by a byte, is refused', () => {
  fc.assert(
    fc.property(
      words.filter((texts) => texts.length > 0),
      fc.nat(),
      (texts, cut) => {
        const whole = writeBytesElements(texts);
        const short = whole.subarray(0, cut % whole.length);
        const long = Buffer.concat([whole, Buffer.from([0])]);
        for (const spoilt of [short, long])
          assert.equal(
            readOrRefused(() => readBytesElements('word', spoilt, texts.length)),
            'refused',
          );
      },
    ),
  );
});

test('a body is cut where its header says, or refused', () => {
  fc.assert(
    fc.property(
      fc.json(),
      bytes,
      fc.option(fc.oneof(fc.nat({ max: 500 }).map(String), fc.string()), { nil: undefined }),
      (json, tail, header) => {
        const body = Buffer.concat([Buffer.from(json), tail]);
        const split = readOrRefused(() => splitBody(header, body));
        if (split === 'refused') return;
        assert.equal(split.binary.length, header === undefined ? 0 : body.length - Number(header));
        const right = readOrRefused(() => splitBody(String(Buffer.byteLength(json)), body));
        assert.deepEqual(right, { json: JSON.parse(json), binary: tail });
      },
    ),
  );
});

const rowArbitrary = fc.record({
  word: fc.string({ unit: 'grapheme', maxLength: 20 }),
  vector: fc.array(fc.float({ noNaN: true, noDefaultInfinity: true }), { minLength: 3, maxLength: 3 }),
});
const rowsArbitrary = fc.array(rowArbitrary, { minLength: 1, maxLength: 20 });
type Row = { word: string; vector: number[] };

/** A request as a client writes it: each tensor in JSON, flat or nested, or as bytes. */
function requestOf(
  rows: readonly Row[],
  how: readonly string[],
): { tensors: RequestTensor[]; binary: Buffer } {
  const parts: Buffer[] = [];
  const values = { word: rows.map(({ word }) => word), vector: rows.map(({ vector }) => vector) };
  const tensors = (['word', 'vector'] as const).map((name, i) => {
    const isText = name === 'word';
    const shape = isText && how[i] !== 'nested' ? [rows.length] : [rows.length, isText ? 1 : 3];
    const head = { name, shape, datatype: isText ? 'BYTES' : 'FP32' };
    if (how[i] === 'binary') {
      const part = isText ? writeBytesElements(values.word) : writeFloats(values.vector.flat());
      parts.push(part);
      return { ...head, parameters: { binary_data_size: part.length } };
    }
    const nested = isText ? values.word.map((word) => [word]) : values.vector;
    return { ...head, data: how[i] === 'nested' ? nested : (nested as unknown[][]).flat() };
  });
  return { tensors, binary: Buffer.concat(parts) };
}

test('tensors become the rows they were made of, however each is sent', () => {
  const manner = fc.constantFrom('flat', 'nested', 'binary');
  fc.assert(
    fc.property(rowsArbitrary, fc.tuple(manner, manner), (rows, how) => {
      const { tensors, binary } = requestOf(rows, how);
      const parsed = inferRequestSchema.parse({ inputs: tensors });
      const read = readInputs(signature, parsed.inputs, binary);
      assert.deepEqual(
        read,
        rows.map(({ word, vector }) => ({ word, vector: vector.map(Math.fround) })),
      );
    }),
  );
});

test('every byte behind the JSON belongs to a tensor, and is there', () => {
  const { tensors, binary } = requestOf([{ word: 'a', vector: [1, 2, 3] }], ['binary', 'binary']);
  const [word, vector] = tensors as [RequestTensor, RequestTensor];
  const size = vector.parameters?.binary_data_size ?? 0;
  const promising = { ...vector, parameters: { binary_data_size: size + 1 } };
  assert.equal(readInputs(signature, [word, vector], binary).length, 1);
  assert.throws(() => readInputs(signature, [word, promising], binary), { message: /12 bytes are left/ });
  const longer = Buffer.concat([binary, Buffer.from([0])]);
  assert.throws(() => readInputs(signature, [word, vector], longer), { message: /belong to no tensor/ });
});

test('a spoilt request is refused, never a crash', () => {
  const number = fc.oneof(
    fc.nat({ max: 400 }),
    fc.constantFrom(0, -1, 2 ** 32, Number.MAX_SAFE_INTEGER, 1.5),
  );
  const tensor = fc.record(
    {
      name: fc.constantFrom('word', 'vector', '', '__proto__', 'constructor'),
      datatype: fc.constantFrom('BYTES', 'FP32', 'INT64', ''),
      shape: fc.array(number, { maxLength: 4 }),
      parameters: fc.option(fc.record({ binary_data_size: number }, { requiredKeys: [] })),
      data: fc.option(fc.array(fc.jsonValue({ maxDepth: 4 }), { maxLength: 10 })),
    },
    { requiredKeys: ['name', 'shape', 'datatype'] },
  );
  fc.assert(
    fc.property(fc.array(tensor, { maxLength: 4 }), bytes, (inputs, binary) => {
      const parsed = inferRequestSchema.safeParse({ inputs });
      if (parsed.success) readOrRefused(() => readInputs(signature, parsed.data.inputs, binary));
    }),
    { numRuns: 3000 },
  );
});

test('more rows than the limit are refused before anything is read', () => {
  const rows = ROWS_PER_REQUEST_MAX + 1;
  const tensor = { name: 'word', datatype: 'BYTES', shape: [rows], parameters: { binary_data_size: 0 } };
  const vector = { name: 'vector', datatype: 'FP32', shape: [rows, 3], data: [] };
  assert.throws(() => readInputs(signature, [tensor, vector], Buffer.alloc(0)), {
    code: 'invalid_request',
    message: new RegExp(`1 to ${ROWS_PER_REQUEST_MAX} rows`),
  });
});

test('outputs: each as it was asked for, the bytes in the order of the tensors', () => {
  const predictions = [
    { output: { word: 'ä', vector: [1, 2, 3] }, confidence: 1 },
    { output: { word: '', vector: [4, 5, 6] }, confidence: 1 },
  ];
  const parameters = { binary_data_output: true };
  const outputs = [{ name: 'vector' }, { name: 'word', parameters: { binary_data: false } }];
  const some = writeOutputs(signature, wantedOutputs(signature, { parameters, outputs }), predictions);
  assert.deepEqual(some.outputs, [
    { name: 'vector', datatype: 'FP32', shape: [2, 3], parameters: { binary_data_size: 24 } },
    { name: 'word', datatype: 'BYTES', shape: [2], data: ['ä', ''] },
  ]);
  assert.deepEqual(some.binary, writeFloats([1, 2, 3, 4, 5, 6]));
  const all = writeOutputs(signature, wantedOutputs(signature, { parameters }), predictions);
  assert.deepEqual(
    all.binary,
    Buffer.concat([writeBytesElements(['ä', '']), writeFloats([1, 2, 3, 4, 5, 6])]),
  );
  const inJson = writeOutputs(signature, wantedOutputs(signature, {}), predictions);
  assert.equal(inJson.binary, null);
  assert.deepEqual(inJson.outputs[1]?.data, [1, 2, 3, 4, 5, 6]);
});
