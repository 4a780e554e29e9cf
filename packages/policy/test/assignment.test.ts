import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { assignArm, sessionHash, sessionUnit } from '../src/index.ts';

const names = fc.string({ unit: 'binary', maxLength: 60 });
const weights = fc.double({ min: 0, max: 1, noNaN: true });

test('the place is the first 53 bits of SHA-256 of salt, NUL, session', () => {
  fc.assert(
    fc.property(names, names, (session, salt) => {
      const digest = createHash('sha256').update(`${salt}\0${session}`).digest('hex');
      const bits = BigInt(`0x${digest}`) >> 203n;
      assert.equal(sessionUnit(session, salt), Number(bits) / 2 ** 53);
      assert.equal(sessionHash(session, salt), digest.slice(-16));
    }),
  );
});

test('every place lies in [0, 1), so weight 1 takes all and weight 0 none', () => {
  fc.assert(
    fc.property(names, names, (session, salt) => {
      const unit = sessionUnit(session, salt);
      assert.equal(assignArm(unit, 1), 'candidate');
      assert.equal(assignArm(unit, 0), 'stable');
    }),
  );
});

test('a place at the weight itself is stable, so a weight of 0 takes nobody', () => {
  assert.equal(assignArm(0, 0), 'stable');
  assert.equal(assignArm(0.25, 0.25), 'stable');
  assert.equal(assignArm(0.25 - Number.EPSILON, 0.25), 'candidate');
});

test('raising the weight only moves sessions toward the candidate (I6)', () => {
  fc.assert(
    fc.property(names, names, weights, weights, (session, salt, a, b) => {
      const unit = sessionUnit(session, salt);
      const [low, high] = [Math.min(a, b), Math.max(a, b)];
      if (assignArm(unit, low) === 'candidate') assert.equal(assignArm(unit, high), 'candidate');
      assert.equal(assignArm(unit, low), assignArm(sessionUnit(session, salt), low));
    }),
  );
});

test('the weight is the share of sessions, for any salt', () => {
  for (const salt of ['', 'a', 'b']) {
    for (const weight of [0.01, 0.1, 0.5, 0.75]) {
      const sessions = 10_000;
      let candidates = 0;
      for (let i = 0; i < sessions; i += 1) {
        if (assignArm(sessionUnit(`user-${i}`, salt), weight) === 'candidate') candidates += 1;
      }
      const deviation = Math.sqrt(sessions * weight * (1 - weight));
      assert.ok(Math.abs(candidates - sessions * weight) < 4 * deviation, `${candidates} at ${weight}`);
    }
  }
});

test('another salt is another draw, also of the hash', () => {
  let same = 0;
  for (let i = 0; i < 1000; i += 1) {
    const [a, b] = [sessionUnit(`s${i}`, 'first'), sessionUnit(`s${i}`, 'second')];
    if (assignArm(a, 0.5) === assignArm(b, 0.5)) same += 1;
    assert.notEqual(sessionHash(`s${i}`, 'first'), sessionHash(`s${i}`, 'second'));
  }
  assert.ok(same > 430 && same < 570, `${same}`);
});
