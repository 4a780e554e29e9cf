// The demo's stages as they are shown: their titles, their steps, and how display and pipe get them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '@jarvis/testkit';
import { planDays } from '../src/demo/days.ts';
import { runStages } from '../src/demo/display.ts';
import { seeded } from '../src/demo/seeded.ts';
import { page } from './page.ts';
import { type Stage, Story } from '../src/demo/story.ts';

const pool = Array.from({ length: 400 }, (_, i) => ({ text: `command ${i}`, label: `intent-${i % 10}` }));

function stagesOf(healthyThirdDay: boolean): Stage[] {
  const random = seeded(1);
  const story = new Story({
    data: { seed: pool.slice(0, 10), pool, test: pool.slice(0, 60) },
    plan: planDays(pool, random),
    random,
    healthyThirdDay,
    start: () => Promise.reject(new Error('nothing is started here')),
    clock: new ManualClock(),
    signal: new AbortController().signal,
  });
  return story.stages();
}

test('a start and three days; each day is used, trained, rolled out and measured', () => {
  const stages = stagesOf(false);
  assert.deepEqual(
    stages.map((stage) => stage.title.replace(/:.*/, '')),
    ['Start', 'Day 1', 'Day 2', 'Day 3'],
  );
  for (const { steps } of stages.slice(1))
    assert.deepEqual(
      steps.map((step) => step.title.replace(/Use it|Import/, 'Take in')),
      ['Take in', 'Train by itself', 'Roll out', 'Held-out accuracy'],
    );
  for (const { title } of stages) assert.ok(title.length <= 80, title);
});

test('the third day says what it brings', () => {
  assert.match(stagesOf(false)[3]?.title ?? '', /another one’s label/);
  assert.match(stagesOf(true)[3]?.title ?? '', /right labels/);
});

const two = (ran: string[]): Stage[] => [
  {
    title: 'Morning',
    steps: [
      { title: 'Get up', run: (view) => (view.show('half'), ran.push('up'), Promise.resolve('at seven')) },
      { title: 'Eat', run: () => (ran.push('eat'), Promise.resolve('bread')) },
    ],
  },
  { title: 'Noon', steps: [{ title: 'Rest', run: () => Promise.reject(new Error('no time')) }] },
];

test('without a terminal each step is one line, and what a step throws is thrown', async () => {
  const { stream, text } = page(false);
  const ran: string[] = [];
  const { signal } = new AbortController();
  await assert.rejects(runStages(two(ran), { stream, clock: new ManualClock(), signal }), /no time/);
  assert.deepEqual(ran, ['up', 'eat']);
  assert.equal(text(), 'Morning\n  Get up: at seven (0.0 s)\n  Eat: bread (0.0 s)\nNoon\n');
});

test('with nobody to show it to, the steps run all the same', async () => {
  const ran: string[] = [];
  const { signal } = new AbortController();
  await assert.rejects(runStages(two(ran), { stream: null, clock: new ManualClock(), signal }), /no time/);
  assert.deepEqual(ran, ['up', 'eat']);
});
