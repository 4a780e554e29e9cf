// A file is there as it was promised, or one sentence says what differs; the first thing that differs is enough.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { checkFile } from '../src/promised-file.ts';
import type { FileFacts } from '../src/index.ts';

const PROMISED: FileFacts = {
  whose: 'the model of nlu v0.2.0',
  wantedBytes: 100,
  wantedSha256: 'aa',
  foundBytes: 100,
  foundSha256: 'aa',
};
const brokenIn = (over: Partial<FileFacts>) => checkFile({ ...PROMISED, ...over });

test('as promised, or of the right size and not read: nothing is broken', () => {
  assert.deepEqual(brokenIn({}), []);
  assert.deepEqual(brokenIn({ foundSha256: null }), []);
  assert.deepEqual(brokenIn({ wantedBytes: 0, foundBytes: 0 }), [], 'an empty file is a file');
});

test('one sentence says what is wrong with it, the coarsest first', () => {
  const cases: readonly (readonly [Partial<FileFacts>, string])[] = [
    [{ foundBytes: null }, 'is not there'],
    [{ foundBytes: null, foundSha256: null }, 'is not there'],
    [{ wantedBytes: 0, foundBytes: null }, 'is not there'],
    [{ foundBytes: 99 }, 'has 99 bytes, not 100'],
    [{ foundBytes: 0, foundSha256: null }, 'has 0 bytes, not 100'],
    [{ foundBytes: 101, foundSha256: 'bb' }, 'has 101 bytes, not 100'],
    [{ foundSha256: 'bb' }, 'has SHA-256 bb, not aa'],
  ];
  for (const [over, what] of cases)
    assert.deepEqual(brokenIn(over), [{ invariant: 'I8', message: `the model of nlu v0.2.0 ${what}` }]);
});

test('a file that is broken when nobody reads it is broken when somebody does', () => {
  const facts = fc.record({
    whose: fc.constant('a file'),
    wantedBytes: fc.nat({ max: 2 }),
    wantedSha256: fc.constantFrom('aa', 'bb'),
    foundBytes: fc.option(fc.nat({ max: 2 })),
    foundSha256: fc.constantFrom('aa', 'bb'),
  });
  fc.assert(
    fc.property(facts, (file) => {
      const unread = checkFile({ ...file, foundSha256: null });
      const read = checkFile(file);
      if (unread.length > 0) assert.deepEqual(read, unread);
      else assert.equal(read.length, file.foundSha256 === file.wantedSha256 ? 0 : 1);
    }),
  );
});
