// The same requests to J-Prime and to MLServer, which serve the same artifact, each by code of its own: the answers are compared
// field by field, refusals too. What may differ is in one table, each with its reason; what differs no more must leave it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startMlServer } from './mlserver.ts';
import { skip } from './python.ts';
import { primeServing, TEXTS, train, VERSION } from './trained-model.ts';

const FP32_TOLERANCE = 1e-6;

const text = { name: 'text', datatype: 'BYTES', shape: [1], data: ['turn the lights off'] as unknown[] };
const all = { ...text, shape: [TEXTS.length], data: TEXTS };
const infer = (name: string, body: unknown, path = '/v2/models/nlu/infer') => ({ name, path, body });
const post = (name: string, path: string) => ({ name, path, body: {} });
const get = (name: string, path: string) => ({ name, path, body: undefined });

/** In this order: those to the repository change what comes after them. */
const REQUESTS: readonly { name: string; path: string; body: unknown }[] = [
  get('live', '/v2/health/live'),
  get('ready', '/v2/health/ready'),
  get('server', '/v2'),
  get('model', '/v2/models/nlu'),
  get('model version', `/v2/models/nlu/versions/${VERSION}`),
  get('model ready', '/v2/models/nlu/ready'),
  get('version ready', `/v2/models/nlu/versions/${VERSION}/ready`),
  post('index', '/v2/repository/index'),
  infer('infer', { id: 'request-1', inputs: [all] }),
  infer('infer without id', { inputs: [text] }),
  infer('infer column', { id: 'c', inputs: [{ ...all, shape: [TEXTS.length, 1] }] }),
  infer('infer nested', { id: 'n', inputs: [{ ...text, shape: [1, 1], data: [['jazz']] }] }),
  infer('infer version', { id: 'v', inputs: [text] }, `/v2/models/nlu/versions/${VERSION}/infer`),
  infer('infer one output', { id: 'o', inputs: [text], outputs: [{ name: 'confidence' }] }),
  infer('infer other order', {
    id: 'r',
    inputs: [text],
    outputs: [{ name: 'confidence' }, { name: 'intent' }],
  }),
  infer('infer nulls', { id: 'z', parameters: null, outputs: null, inputs: [text] }),
  infer('refused model', { inputs: [text] }, '/v2/models/telepathy/infer'),
  infer('refused version', { inputs: [text] }, '/v2/models/nlu/versions/v9.9.9/infer'),
  infer('refused input', { inputs: [{ ...text, name: 'txt' }] }),
  infer('refused datatype', { inputs: [{ ...text, datatype: 'INT32', data: [1] }] }),
  infer('refused width', { inputs: [{ ...text, shape: [1, 2], data: ['a', 'b'] }] }),
  infer('refused length', { inputs: [{ ...text, shape: [2] }] }),
  infer('refused element', { inputs: [{ ...text, data: [7] }] }),
  infer('refused rows', { inputs: [{ ...text, shape: [0], data: [] }] }),
  infer('refused text', { inputs: [{ ...text, data: [''] }] }),
  infer('refused output', { inputs: [text], outputs: [{ name: 'mood' }] }),
  infer('unread no inputs', {}),
  infer('unread datatype', { inputs: [{ ...text, datatype: 'STRING' }] }),
  infer('unread no JSON', '{"inputs"'),
  get('refused metadata', '/v2/models/telepathy'),
  get('refused ready', '/v2/models/telepathy/ready'),
  post('refused load', '/v2/repository/models/telepathy/load'),
  post('refused unload', '/v2/repository/models/telepathy/unload'),
  post('unload', '/v2/repository/models/nlu/unload'),
  get('unloaded ready', '/v2/models/nlu/ready'),
  get('unloaded model', '/v2/models/nlu'),
  post('unloaded index', '/v2/repository/index'),
  post('load', '/v2/repository/models/nlu/load'),
  get('loaded ready', '/v2/models/nlu/ready'),
  infer('loaded infer', { id: 'l', inputs: [all] }),
];

/** What may differ: the request and the field, and why. */
const ACCEPTED: readonly [where: RegExp, why: string][] = [
  [/^infer without id: id$/, 'without an id MLServer makes one up; the protocol only wants one given back'],
  [
    /infer.*: outputs\.\d\.shape\.1$/,
    'the codecs of MLServer write n elements as [n, 1], J-Prime as its metadata says',
  ],
  [/infer.*: (outputs\.\d\.)?parameters/, 'the codecs of MLServer name their content types'],
  [/^server: /, 'each says who it is and what it can; MLServer names no extensions'],
  [/^model.*: versions/, 'MLServer lists no versions, though it serves by them'],
  [/^model.*: parameters$/, 'MLServer has parameters of models, of which there are none here'],
  [/(live|ready): (live|ready|name)$/, 'the status is the answer; J-Prime also says it in JSON'],
  [/^refused.*: error$/, 'the words are each its own'],
  [
    /^(refused|unloaded).*: (type|title|detail|status|code)$/,
    'J-Prime sends problems of RFC 9457, of which `error` is a member',
  ],
  [/^unread.*: HTTP$/, 'the protocol has 400 for what is malformed; MLServer leaves 422 to FastAPI'],
  [/^unread.*: /, 'likewise its form, which has no `error`'],
  [
    /^unloaded ready: (HTTP|error|retry_after_seconds)$/,
    'unloaded is parked in J-Prime, and comes back when it is asked for (503 until then); MLServer forgets it (404)',
  ],
  [/^unloaded model: /, 'likewise: what is parked still has its metadata'],
  [/^unloaded index: 0\.reason$/, 'J-Prime says why it is away'],
];

/** Every value of an answer by its path; an empty body has none. */
function fieldsOf(value: unknown, path = ''): [string, unknown][] {
  if (typeof value !== 'object' || value === null) return [[path, value]];
  const entries = Object.entries(value);
  if (entries.length === 0) return path === '' ? [] : [[path, value]];
  return entries.flatMap(([key, member]) => fieldsOf(member, path === '' ? key : `${path}.${key}`));
}

async function answerOf(url: string, path: string, body: unknown): Promise<Map<string, unknown>> {
  const headers = { 'content-type': 'application/json' };
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const init: RequestInit = body === undefined ? {} : { method: 'POST', body: text, headers };
  const response = await fetch(url + path, init);
  const said = await response.text();
  return new Map([['HTTP', response.status], ...fieldsOf(said === '' ? {} : JSON.parse(said))]);
}

/** Two FP32 that differ in their last bits count as one: the size of a batch is enough for that. */
function isAlike(one: unknown, other: unknown): boolean {
  if (typeof one === 'number' && typeof other === 'number' && !Number.isInteger(one))
    return Math.abs(one - other) < FP32_TOLERANCE;
  return JSON.stringify(one) === JSON.stringify(other);
}

test('MLServer and J-Prime answer alike', { skip }, async (t) => {
  const artifactDir = await train(t);
  const prime = await primeServing(artifactDir);
  const mlServer = await startMlServer(t, artifactDir, VERSION);
  const used = new Set<RegExp>();
  const unlike: string[] = [];
  let compared = 0;
  for (const { name, path, body } of REQUESTS) {
    const [theirs, ours] = await Promise.all([
      answerOf(mlServer, path, body),
      answerOf(prime.url, path, body),
    ]);
    if (/^(refused|unread)/.test(name)) assert.equal(typeof ours.get('error'), 'string', name);
    if (name.startsWith('refused')) assert.equal(typeof theirs.get('error'), 'string', name);
    for (const field of new Set([...theirs.keys(), ...ours.keys()])) {
      compared += 1;
      if (isAlike(theirs.get(field), ours.get(field))) continue;
      const [their, our] = [theirs.get(field), ours.get(field)].map((value) => JSON.stringify(value));
      const row = ACCEPTED.find(([where]) => where.test(`${name}: ${field}`));
      if (row === undefined) unlike.push(`${name}: ${field}: MLServer ${their}, J-Prime ${our}`);
      else used.add(row[0]);
    }
  }
  assert.deepEqual(unlike, []);
  assert.deepEqual(
    ACCEPTED.filter(([where]) => !used.has(where)).map(([where]) => String(where)),
    [],
    'these do not differ any more',
  );
  assert.ok(compared > 200, `${compared} fields`);
});
