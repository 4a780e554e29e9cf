// What a job asks for whose need is a guess.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BYTES_PER_GB } from '@jarvis/contracts';
import * as fc from 'fast-check';
import { schedule } from '../src/index.ts';
import { job, kinds, lease, memory, need, snapshot } from './snapshots.ts';

const GB = BYTES_PER_GB;
const free = [{ slot: 0, holder: null }];
/** 64 GB, of which others hold 4 and a service 10. */
const reach = 50 * GB;
const askedGb = (wish: number, least: number, view = memory()): number => {
  const jobs = [job({ need: need(wish), leastRamBytes: least * GB })];
  const asked = schedule(snapshot({ jobs, slots: free, memory: view })).find((d) => d.type === 'take_slot');
  return asked === undefined ? NaN : asked.need.ram_bytes / GB;
};

test('a guess that can be given is asked for', () => {
  assert.equal(askedGb(40, 20), 40);
  assert.equal(askedGb(47.5, 20), 47.5);
});

test('one beyond what could be given becomes a little less than that', () => {
  assert.equal(askedGb(90, 20), 47.5);
  assert.equal(askedGb(60, 20), 47.5, 'also where it could be given on an empty machine');
});

test('never so little that it has failed before: then it waits for others to go', () => {
  assert.equal(askedGb(90, 55), 55);
});

test('where even that is more than there ever is, it is told so', () => {
  const jobs = [job({ need: need(90), leastRamBytes: 70 * GB })];
  const decisions = schedule(snapshot({ jobs, slots: free }));
  assert.deepEqual(
    decisions.map((d) => d.type),
    ['explain'],
  );
  assert.match(JSON.stringify(decisions), /needs 70\.00 GB and at most 64\.00 GB can ever be given/);
});

test('what the LLM and other trainings hold can be had: they give it back', () => {
  assert.equal(askedGb(90, 20, memory({ holders: { llm: 30 * GB, other: 5 * GB } })), 47.5);
});

test('a need that is known stays as it is', () => {
  assert.equal(askedGb(60, 60), 60);
});

test('who asked for a guess that is beyond reach by now asks again; for what is known it waits', () => {
  const waits = (gb: number, least: number) =>
    job({ state: 'waiting_for_memory', need: need(gb), leastRamBytes: least * GB, leaseId: 'l1', slot: 0 });
  const kindsOf = (gb: number, least: number) =>
    kinds(
      snapshot({
        jobs: [waits(gb, least)],
        slots: [{ slot: 0, holder: 'j1' }],
        leases: [lease({ need: need(gb), state: 'draining' })],
        memory: memory({ holders: { llm: 40 * GB } }),
      }),
    );
  assert.deepEqual(kindsOf(51, 20), ['requeue']);
  assert.deepEqual(kindsOf(50, 20), []);
  assert.deepEqual(kindsOf(51, 51), []);
});

test('without a measurement it asks for what it wants', () => {
  const jobs = [job({ need: need(900), leastRamBytes: GB })];
  const [asked] = schedule(snapshot({ jobs, slots: free, memory: null }));
  assert.equal(asked?.type === 'take_slot' ? asked.need.ram_bytes : NaN, 900 * GB);
});

test('it asks for no more than it wants, no less than may do, and more than could be given only at the least', () => {
  const gb = fc.integer({ min: 1, max: 64 });
  fc.assert(
    fc.property(gb, gb, (a, b) => {
      const [wish, least] = [Math.max(a, b), Math.min(a, b)];
      const asked = askedGb(wish, least);
      assert.ok(asked <= wish && asked >= least);
      assert.ok(asked * GB <= 0.95 * reach || asked === least);
    }),
  );
});
