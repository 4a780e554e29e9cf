import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { logAddExp, logMeanExp } from '../src/rollout/log-sum.ts';

const near = (a: number, b: number): void =>
  assert.ok(Math.abs(a - b) < 1e-12 * Math.max(1, Math.abs(b)), `${a} ${b}`);

test('the sum of two numbers that are known by their logarithms, whichever is larger', () => {
  fc.assert(
    fc.property(
      fc.double({ min: 1e-9, max: 1e9, noNaN: true }),
      fc.double({ min: 1e-9, max: 1e9, noNaN: true }),
      (a, b) => near(logAddExp(Math.log(a), Math.log(b)), Math.log(a + b)),
    ),
  );
});

test('far beyond what a double holds it stays exact', () => {
  near(logAddExp(5000, 5000), 5000 + Math.LN2);
  near(logAddExp(-5000, -5000), -5000 + Math.LN2);
  assert.equal(logAddExp(5000, -5000), 5000);
});

test('nothing and nothing is nothing; nothing and something is something', () => {
  assert.equal(logAddExp(-Infinity, -Infinity), -Infinity);
  assert.equal(logAddExp(-Infinity, 3), 3);
  assert.equal(logAddExp(3, -Infinity), 3);
});

test('the mean', () => {
  near(logMeanExp([1, 2, 3, 6].map(Math.log)), Math.log(3));
  assert.equal(logMeanExp([-Infinity, -Infinity]), -Infinity);
  assert.equal(logMeanExp([7]), 7);
});
