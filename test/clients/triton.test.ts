// J-Prime asked by Triton's own client: metadata, inference with binary and with JSON tensors, refusals, load and unload.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ask, skip } from './python.ts';
import { primeServing, TEXTS, train, VERSION } from './trained-model.ts';

/** The size of a batch may change the last bits. */
const FP32_TOLERANCE = 1e-6;

interface Inferred {
  readonly version: string;
  readonly id: string | null;
  readonly binary: readonly boolean[];
  readonly dtypes: Readonly<Record<string, string>>;
  readonly outputs: { readonly intent: string[]; readonly confidence: number[] };
}

interface Refusal {
  readonly status: string;
  readonly message: string;
}

interface Answers {
  readonly live: boolean;
  readonly ready: boolean;
  readonly model_ready: boolean[];
  readonly server: { readonly name: string; readonly extensions: string[] };
  readonly model: unknown;
  readonly index: unknown;
  readonly by_default: Inferred;
  readonly in_json: Inferred;
  readonly column: Inferred;
  readonly by_version: Inferred;
  readonly in_session: Inferred;
  readonly later: number[];
  readonly refused: Readonly<Record<string, Refusal>>;
  readonly unloaded: [boolean, { readonly state: string }[]];
  readonly loaded: boolean;
}

test('tritonclient[http]: all that it can ask of the protocol', { skip }, async (t) => {
  const prime = await primeServing(await train(t));
  const said = await Promise.all(TEXTS.map((text) => prime.predict(text)));
  const answers = await ask<Answers>('ask_triton.py', [new URL(prime.url).host, ...TEXTS]);
  assert.deepEqual(
    [answers.live, answers.ready, answers.model_ready, answers.server.name],
    [true, true, [true, false], 'j-prime'],
  );
  assert.deepEqual(answers.model, {
    name: 'nlu',
    versions: [VERSION],
    platform: 'onnx_onnxv1',
    inputs: [{ name: 'text', datatype: 'BYTES', shape: [-1] }],
    outputs: [
      { name: 'intent', datatype: 'BYTES', shape: [-1] },
      { name: 'confidence', datatype: 'FP32', shape: [-1] },
    ],
  });
  assert.deepEqual(answers.index, [{ name: 'nlu', version: VERSION, state: 'READY', reason: '' }]);

  const intent = said.map(({ output }) => output['intent']);
  assert.ok(new Set(intent).size > 1, 'it has learned something');
  const { by_default, in_json, by_version, in_session, column } = answers;
  for (const inferred of [by_default, in_json, by_version, in_session]) {
    assert.equal(inferred.version, VERSION);
    assert.deepEqual(inferred.outputs.intent, intent);
  }
  assert.deepEqual(Object.keys(column.outputs), ['confidence']);
  for (const { outputs } of [by_default, in_json, by_version, in_session, column])
    for (const [i, value] of outputs.confidence.entries())
      assert.ok(Math.abs(value - (said[i]?.confidence ?? 2)) < FP32_TOLERANCE, `${i}: ${value}`);
  assert.deepEqual(by_default.binary, [true, true]);
  assert.deepEqual(in_json.binary, [false, false]);
  assert.deepEqual(by_default.dtypes, { intent: 'object', confidence: 'float32' });
  assert.deepEqual([by_default.id, in_json.id, answers.later], ['request-1', null, [TEXTS.length]]);

  const wanted = {
    model: ['404', /no model "telepathy"/],
    version: ['404', /no version "v9\.9\.9"/],
    input: ['400', /"txt": there is no such input/],
    datatype: ['400', /it is BYTES, not INT32/],
    output: ['400', /no output "mood"/],
    compressed: ['415', /Content-Encoding/],
    metadata: ['404', /no model "telepathy"/],
  } as const;
  assert.deepEqual(Object.keys(answers.refused), Object.keys(wanted));
  for (const [what, [status, says]] of Object.entries(wanted)) {
    assert.equal(answers.refused[what]?.status, status, what);
    assert.match(answers.refused[what]?.message ?? '', says);
  }
  assert.deepEqual(
    [answers.unloaded[0], answers.unloaded[1].map(({ state }) => state), answers.loaded],
    [false, ['UNAVAILABLE'], true],
  );
});
