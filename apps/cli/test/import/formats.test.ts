// Small files of each form: what becomes an experience, and what is told not to.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { detect, refuseUnteachable } from '../../src/import/formats.ts';
import { CommandError } from '../../src/exit.ts';
import { read } from './reading.ts';

const RASA = `version: "3.1"
nlu:
- intent: greet
  examples: |
    - hey

    - hello [Anna](name)
    - from [Bonn]{"entity": "city", "role": "from"} to [Rom][{"entity": "city"}, {"entity": "place"}]
    no dash
- intent: chitchat/name
  examples:
  - text: |
      - who are you
    metadata: {a: b}
- synonym: NYC
  examples: |
    - new york
- regex: zip
  examples: |
    - \\d+
- lookup: city
  examples: |
    - Rome
- intent: no
rules: []
`;

test('rasa-nlu: entities are reduced to their text, and what is no intent is told with its line', async (t) => {
  const { sentences, notMapped } = await read(t, 'rasa-nlu', RASA);
  assert.deepEqual(sentences, [
    'hey -> greet',
    'hello Anna -> greet',
    'from Bonn to Rom -> greet',
    'who are you -> chitchat/name',
  ]);
  assert.deepEqual(notMapped, [
    '25 part_not_learned',
    '9 unknown_shape',
    '15 part_not_learned',
    '18 part_not_learned',
    '21 part_not_learned',
    '24 unknown_shape',
  ]);
});

const COMMON = `language: en
lists:
  color: {values: [red, {in: "(grey|gray)", out: gray}]}
  level: {range: {from: 0, to: 100, step: 50}}
  name: {wildcard: true}
expansion_rules:
  light: "[the] lamp[s]"
`;
const LIGHTS = `language: en
intents:
  TurnOn:
    data:
      - sentences:
          - "on <light>"
          - "on {name}"
          - "(make;<light>) {color:c} [in {name}]"
          - "set (a|b"
  Level:
    data:
      - sentences: ["to {level}%", "is <own>"]
        expansion_rules: {own: "mine|yours"}
  Empty: {}
responses: {}
`;

test('home-assistant: templates are written out with the lists and rules of all files', async (t) => {
  const { sentences, notMapped } = await read(t, 'home-assistant', LIGHTS, { also: [COMMON] });
  const lamps = ['the lamps', 'lamps', 'the lamp', 'lamp'];
  const colours = ['red', 'grey', 'gray'];
  assert.deepEqual(
    new Set(sentences),
    new Set([
      ...lamps.map((lamp) => `on ${lamp} -> TurnOn`),
      ...colours.flatMap((c) =>
        lamps.flatMap((l) => [`make ${l} ${c} -> TurnOn`, `${l} make ${c} -> TurnOn`]),
      ),
      ...['to 0%', 'to 50%', 'to 100%', 'is mine', 'is yours'].map((text) => `${text} -> Level`),
    ]),
  );
  assert.deepEqual(notMapped, [
    '15 part_not_learned',
    '7 needs_list',
    '8 partly_needs_list',
    '9 not_a_template',
    '14 unknown_shape',
  ]);
});

test('home-assistant: another language lends no words', async (t) => {
  const other = COMMON.replace('language: en', 'language: de');
  const { sentences, notMapped } = await read(t, 'home-assistant', LIGHTS, { also: [other] });
  assert.deepEqual(sentences, ['is mine -> Level', 'is yours -> Level']);
  assert.ok(notMapped.includes('6 needs_list'));
});

test('home-assistant: a rule that refers to itself is told', async (t) => {
  const file =
    'language: en\nexpansion_rules: {a: "x <b>", b: "<a>"}\nintents: {I: {data: [{sentences: ["<a>"]}]}}\n';
  assert.deepEqual((await read(t, 'home-assistant', file)).notMapped, ['3 not_a_template']);
});

const CHAT = [
  {
    messages: [
      { role: 'system', content: 'Name the intent.' },
      { role: 'user', content: 'light up' },
      { role: 'assistant', content: 'lights_on' },
    ],
  },
  {
    messages: [
      { role: 'user', content: [{ type: 'text', text: 'dim it' }] },
      { role: 'assistant', content: '{"intent":"lights_dim"}' },
    ],
  },
  {
    messages: [
      { role: 'user', content: 'one' },
      { role: 'user', content: 'two' },
      { role: 'assistant', content: 'That is a sentence.' },
      { role: 'user', content: 'three' },
    ],
  },
  {
    messages: [
      { role: 'assistant', content: 'hello' },
      { role: 'user', content: 'x' },
      { role: 'assistant', content: 'y', weight: 0 },
      { role: 'tool', content: 'z' },
    ],
  },
  { messages: [] },
];

test('openai-chat: an answer that names an intent is expected of the turn before it; system turns are context', async (t) => {
  const { found, sentences, notMapped } = await read(
    t,
    'openai-chat',
    CHAT.map((c) => JSON.stringify(c)).join('\n'),
  );
  assert.deepEqual(sentences, ['light up -> lights_on', 'dim it -> lights_dim']);
  assert.deepEqual(notMapped, [
    '3 turn_not_answered',
    '3 answer_is_no_intent',
    '3 turn_not_answered',
    '4 answer_without_turn',
    '4 turn_not_learned',
    '4 turn_not_text',
    '5 unknown_shape',
  ]);
  const [first] = found;
  assert.ok(first !== undefined && 'experience' in first);
  assert.deepEqual(first.experience.metadata, { imported_from: 'openai-chat', system: 'Name the intent.' });
});

test('openai-chat: an array over several lines, and pairs for embedding', async (t) => {
  const array = JSON.stringify(CHAT, null, 2);
  const { sentences, found } = await read(t, 'openai-chat', array, { modelType: 'embedding' });
  assert.deepEqual(sentences.slice(0, 1), ['light up + lights_on -> 1']);
  assert.ok(sentences.includes('two + That is a sentence. -> 1'));
  assert.equal(found.at(-1)?.at, '[4]');
});

test('csv: columns by their usual names or as named, any separator; quotes, and rows that do not fit', async (t) => {
  const file =
    '\uFEFFtext;intent;lang\n"on; please";lights_on;en\n\noff;;en\n;x;en\nshort\n"two\nlines";y;en\nit"s;z;en';
  const { sentences, notMapped, found } = await read(t, 'csv', file);
  assert.deepEqual(sentences, ['on; please -> lights_on', 'two\nlines -> y', 'it"s -> z']);
  assert.deepEqual(notMapped, ['4 no_label', '5 no_text', '6 not_csv']);
  const [first] = found;
  assert.ok(first !== undefined && 'experience' in first);
  assert.deepEqual(first.experience.metadata, { imported_from: 'csv', fields: { lang: 'en' } });
  const named = await read(t, 'csv', 'q,topic\nwhen,time\n', { textColumn: 'q', labelColumn: 'topic' });
  assert.deepEqual(named.sentences, ['when -> time']);
  const pairs = await read(t, 'csv', 'a\tb\tscore\nx\ty\t0.5\nx\ty\t4\nx\ty\t\n', { modelType: 'embedding' });
  assert.deepEqual(pairs.sentences, ['x + y -> 0.5']);
  assert.deepEqual(pairs.notMapped, ['3 not_an_experience', '4 not_an_experience']);
});

test('csv: a header that names nothing, or one thing twice, and a quote that is never closed', async (t) => {
  assert.deepEqual((await read(t, 'csv', 'a,b\n1,2\n')).notMapped, ['1 unknown_shape']);
  assert.deepEqual((await read(t, 'csv', 'text,label,text\n1,2,3\n')).notMapped, ['1 unknown_shape']);
  const open = await read(t, 'csv', 'text,label\na,b\n"c,d\ne,f\n');
  assert.deepEqual([open.sentences, open.notMapped], [['a -> b'], ['3 not_readable']]);
  const endless = await read(t, 'csv', `text,label\na,b\n"${'c,d\n'.repeat(400_000)}`);
  assert.deepEqual([endless.sentences, endless.notMapped], [['a -> b'], ['3 not_readable']]);
});

test('jsonl: experiences as they are, rows of text and label, and what is neither', async (t) => {
  const own = { type: 'voice_auth', input: { audio_path: 'a.wav' }, expected_output: { speaker: 'me' } };
  const lines = [
    JSON.stringify(own),
    '{"utterance":" on ","intent":"lights_on","split":"train"}',
    '',
    '{"text":"x"}',
    '[1]',
    'nope',
    '{"type":"command","input":{"text":"x"},"expected_ouput":{}}',
    JSON.stringify({ text: 'x'.repeat(5_000), label: 'y' }),
  ].join('\r\n');
  const { sentences, notMapped } = await read(t, 'jsonl', lines);
  assert.deepEqual(sentences, ['a.wav -> me', 'on -> lights_on']);
  assert.deepEqual(notMapped, [
    '4 unknown_shape',
    '5 unknown_shape',
    '6 not_json',
    '7 not_an_experience',
    '8 not_an_experience',
  ]);
  const nlu = await read(t, 'jsonl', lines, { modelType: 'nlu' });
  assert.equal(nlu.notMapped[0], '1 other_model_type');
});

test('formats are known by name and content', () => {
  const known: readonly (readonly [string, string, string | null])[] = [
    ['a.yml', RASA, 'rasa-nlu'],
    ['a.yaml', LIGHTS, 'home-assistant'],
    ['_common.yaml', COMMON, 'home-assistant'],
    ['domain.yml', 'version: "3.1"\nintents:\n- greet\n', null],
    ['a.tsv', 'x', 'csv'],
    ['a.jsonl', JSON.stringify(CHAT[0]), 'openai-chat'],
    ['a.json', JSON.stringify(CHAT, null, 2), 'openai-chat'],
    ['a.jsonl', '{"text":"\\"messages\\":","label":"b"}', 'jsonl'],
    ['a.txt', 'hello', null],
  ];
  for (const [name, head, format] of known) assert.equal(detect(name, head), format, name);
});

test('a kind of model that learns nothing from a form is refused, with those that do', () => {
  assert.throws(
    () => refuseUnteachable('openai-chat', 'llm'),
    (e) => e instanceof CommandError && /takes no experiences for llm.*nlu, embedding/.test(e.message),
  );
  assert.throws(() => refuseUnteachable('rasa-nlu', 'voice'), /holds nothing that voice learns from/);
  refuseUnteachable('jsonl', 'voice');
});

const CLINC = ['../../../../../shared/data', '../../../../../../shared/data'].map(
  (folder) => new URL(`${folder}/nlu/clinc150/sample_200.jsonl`, import.meta.url),
);

test('CLINC150 goes in whole, as it is published', async (t) => {
  const path = CLINC.find((url) => existsSync(url));
  if (path === undefined) {
    t.skip('needs shared/data/nlu/clinc150/sample_200.jsonl beside the repository');
    return;
  }
  const { found, notMapped } = await read(t, 'jsonl', readFileSync(path));
  assert.deepEqual([found.length, notMapped], [200, []]);
});
