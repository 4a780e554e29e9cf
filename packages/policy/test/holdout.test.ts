import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assert as check, integer, nat, property, record } from 'fast-check';
import { gateRows } from '../src/index.ts';

test('a tenth is held out where most of the data is new', () => {
  assert.equal(gateRows({ labelled: 1000, fresh: 1000, percent: 10 }), 100);
  assert.equal(gateRows({ labelled: 1000, fresh: 400, percent: 10 }), 100);
});

test('of a little that is new two thirds are learned from', () => {
  assert.equal(gateRows({ labelled: 5000, fresh: 100, percent: 10 }), 33);
});

test('nothing new, or too little of anything: no gate', () => {
  assert.equal(gateRows({ labelled: 5000, fresh: 0, percent: 10 }), 0);
  assert.equal(gateRows({ labelled: 49, fresh: 49, percent: 10 }), 0);
  assert.equal(gateRows({ labelled: 0, fresh: 0, percent: 10 }), 0);
});

test('fifty labelled inputs are enough for a gate', () => {
  assert.equal(gateRows({ labelled: 50, fresh: 50, percent: 10 }), 5);
});

test('there are never more fresh inputs than labelled ones, nor fewer than none', () => {
  const told = /fresh inputs are labelled inputs/;
  assert.throws(() => gateRows({ labelled: 100, fresh: 101, percent: 10 }), told);
  assert.throws(() => gateRows({ labelled: 100, fresh: -1, percent: 10 }), told);
});

test('never more than a third of the fresh, nor than the percentage', () => {
  const inputs = record({
    labelled: nat(100_000),
    fresh: nat(100_000),
    percent: integer({ min: 1, max: 50 }),
  });
  check(
    property(inputs, ({ labelled, fresh, percent }) => {
      const some = Math.min(labelled, fresh);
      const rows = gateRows({ labelled, fresh: some, percent });
      assert.ok(Number.isInteger(rows) && rows >= 0);
      assert.ok(rows * 3 <= some);
      assert.ok(rows <= Math.round((labelled * percent) / 100));
    }),
  );
});
