// Templates against an independent reading of them: every sentence that is written out is one of the template's, all are
// there when there are few, and never more than the limit.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { parseTemplate, type Template } from '../../src/import/templates/template.ts';
import { type Linked, Vocabulary } from '../../src/import/templates/vocabulary.ts';
import { spread, writeOut } from '../../src/import/templates/write-out.ts';

const LISTS = new Map([
  ['color', { kind: 'values', templates: ['red', '(dark|light) blue'] }],
  ['level', { kind: 'range', from: 1, to: 7, step: 3 }],
  ['name', { kind: 'open' }],
] as const);
const RULES = new Map([
  ['the', '[the]'],
  ['thing', '<the> (lamp|fan)[s]'],
  ['open', 'my {name}'],
]);
const words = { lists: LISTS, rules: RULES };

function link(text: string): Linked {
  return new Vocabulary(words).link(parseTemplate(text));
}

/** A template as text, and all its sentences by the plainest way there is; null stands for one that needs {name}. */
interface Sample {
  readonly text: string;
  readonly all: readonly (string | null)[];
}

const join = (a: string | null, b: string | null): string | null => (a === null || b === null ? null : a + b);
const SAMPLE_FORMS_MAX = 3_000;
/** Stands for all those of which there are too many to be listed; such a sample is left out. */
const TOO_MANY: readonly null[] = Array.from({ length: SAMPLE_FORMS_MAX + 1 }, () => null);
const product = (parts: readonly (readonly (string | null)[])[]): readonly (string | null)[] =>
  parts.reduce<readonly (string | null)[]>(
    (sum, part, i) => {
      if (i === 0) return part;
      if (sum.length * part.length > SAMPLE_FORMS_MAX) return TOO_MANY;
      return sum.flatMap((a) => part.map((b) => join(a, b)));
    },
    [''],
  );
const orders = <T>(items: readonly T[]): T[][] =>
  items.length === 0
    ? [[]]
    : items.flatMap((item, i) => orders(items.toSpliced(i, 1)).map((rest) => [item, ...rest]));

const sample = fc.letrec<{ any: Sample; leaf: Sample; sequence: Sample }>((tie) => ({
  leaf: fc.constantFrom<Sample>(
    { text: 'turn', all: ['turn'] },
    { text: ' on ', all: [' on '] },
    { text: '\\[x\\|', all: ['[x|'] },
    { text: '{color}', all: ['red', 'dark blue', 'light blue'] },
    { text: '{level:slot}', all: ['1', '4', '7'] },
    { text: '{name}', all: [null] },
    { text: '<open>', all: [null] },
    {
      text: '<thing>',
      all: ['the lamps', 'the lamp', 'the fans', 'the fan', ' lamps', ' lamp', ' fans', ' fan'],
    },
  ),
  sequence: fc.array(tie('any'), { minLength: 1, maxLength: 3 }).map((items) => ({
    text: items.map(({ text }) => text).join(''),
    all: product(items.map(({ all }) => all)),
  })),
  any: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    tie('leaf'),
    fc.array(tie('sequence'), { minLength: 2, maxLength: 3 }).map((items) => ({
      text: `(${items.map(({ text }) => text).join('|')})`,
      all: items.flatMap(({ all }) => all),
    })),
    tie('sequence').map(({ text, all }) => ({ text: `[${text}]`, all: [...all, ''] })),
    fc.array(tie('leaf'), { minLength: 2, maxLength: 3 }).map((items) => ({
      text: `(${items.map(({ text }) => text).join(';')})`,
      // A space behind each part: what follows is a word of its own.
      all: orders(items).flatMap((ordered) => product(ordered.flatMap(({ all }) => [all, [' ']]))),
    })),
  ),
})).sequence;

const samples = sample.filter(({ all }) => all.length <= SAMPLE_FORMS_MAX);

function spoken(all: Sample['all']): Set<string> {
  const texts = all.flatMap((text) => (text === null ? [] : [text.replaceAll(/\s+/g, ' ').trim()]));
  return new Set(texts.filter((text) => text !== ''));
}

test('few forms are all written out, and nothing else', () => {
  fc.assert(
    fc.property(samples, ({ text, all }) => {
      const { forms, missing } = link(text);
      const written = forms === null ? [] : writeOut(forms, SAMPLE_FORMS_MAX).texts;
      assert.deepEqual(new Set(written), spoken(all));
      assert.equal(new Set(written).size, written.length, 'each once');
      assert.equal(missing.has('{name}'), text.includes('{name}') || text.includes('<open>'));
    }),
  );
});

test('of many forms no more than the limit are written out, each one of them', () => {
  fc.assert(
    fc.property(samples, fc.integer({ min: 1, max: 20 }), ({ text, all }, formsMax) => {
      const { forms } = link(text);
      if (forms === null) return;
      const { texts } = writeOut(forms, formsMax);
      assert.ok(texts.length <= formsMax);
      const possible = spoken(all);
      for (const one of texts) assert.ok(possible.has(one), one);
    }),
  );
});

test('the limit is spread: numbers are different, in range, and as many as asked', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1e12 }), fc.integer({ min: 1, max: 300 }), (count, max) => {
      const numbers = [...spread(count, max)];
      assert.equal(numbers.length, Math.min(count, max));
      assert.equal(new Set(numbers).size, numbers.length);
      for (const n of numbers) assert.ok(Number.isInteger(n) && n >= 0 && n < count);
    }),
  );
});

test('the limit leaves no word of an alternative out, when it has room to spare', () => {
  const { forms } = link('(a|b|c|d) (e|f|g|h) (i|j|k|l) (m|n|o|p)');
  assert.ok(forms !== null);
  const { texts } = writeOut(forms, 64);
  assert.equal(new Set(texts.flatMap((text) => text.split(' '))).size, 16);
});

test('what is no template says why', () => {
  const broken: readonly (readonly [string, RegExp])[] = [
    ['a (b', /not closed/],
    ['a [b)', /not closed, or by another/],
    ['a)', /opens nothing/],
    ['{}', /no name/],
    ['<a', /not closed/],
    ['(a|b;c)', /one group/],
    [`(${'a;'.repeat(8)}a)`, /more than 7 parts/],
    ['('.repeat(100), /nested deeper/],
    ['x'.repeat(20_000), /longer than/],
  ];
  for (const [text, told] of broken) assert.throws(() => parseTemplate(text), told, text.slice(0, 20));
});

test('any text is read or refused, never more', () => {
  const texts = fc.string({ unit: fc.constantFrom(...'ab ()[]{}<>|;:\\'.split('')) });
  fc.assert(
    fc.property(texts, (text) => {
      let template: Template;
      try {
        template = parseTemplate(text);
      } catch (error) {
        assert.equal((error as Error).name, 'TemplateError');
        return;
      }
      const { forms } = new Vocabulary(words).link(template);
      if (forms !== null) assert.ok(writeOut(forms, 50).texts.length <= 50);
    }),
  );
});
