// Guard 2 at work: the answers of both versions come from J-Prime, what was right from JARVIS Core, in any order.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Evidence } from '@jarvis/contracts';
import type { Reactor } from './harness.ts';
import { differed, GOOD, judged, requests, roll, rolloutWorld, shadowed } from './rollout-world.ts';

const LOST_TO_BREAK = 9;
const OUTPUTS: [string, string] = ['right', 'wrong'];

async function readingOf(reactor: Reactor, id: string): Promise<number | undefined> {
  const { guards } = await reactor.deployment(id);
  return guards.find((g) => g.guard === 'paired_accuracy')?.evidence;
}

async function pairsOf(
  reactor: Reactor,
  id: string,
): Promise<{ candidate_wrong: number; stable_wrong: number }> {
  const { candidate_wrong, stable_wrong } = (await reactor.report(id)).now.pairs;
  return { candidate_wrong, stable_wrong };
}

for (const first of ['answers', 'judgements'] as const)
  test(`pairs that the candidate lost send it back, ${first} first`, async (t) => {
    const { reactor, looked } = await rolloutWorld(t);
    const id = await roll(reactor, GOOD);
    const numbers = Array.from({ length: LOST_TO_BREAK }, (_, i) => `pair-${i}`);
    const answers = numbers.map((pair) => differed(id, pair, OUTPUTS));
    const judgements = numbers.map((pair) => judged(id, pair, { correct: true, asked: true }));
    await reactor.evidence(first === 'answers' ? answers : judgements);
    await looked();
    assert.equal(await readingOf(reactor, id), 1, 'half of a pair says nothing');
    await reactor.evidence(first === 'answers' ? judgements : answers);
    const { reason } = await reactor.deploymentIn(id, 'rolled_back');
    assert.match(
      reason,
      /^Both versions answered the same inputs; of 9 on which just one was right, v0\.1\.1 was wrong on 9: chance of /,
    );
  });

test('what was right decides, whoever served; where it is not known, or both were alike in it, nothing does', async (t) => {
  const { reactor } = await rolloutWorld(t);
  const id = await roll(reactor, GOOD);
  const cases: [string, Parameters<typeof judged>[2]][] = [
    ['served-right', { correct: true, asked: true }],
    ['corrected-to-the-other', { correct: false, expected: 'wrong', asked: true }],
    ['corrected-to-a-third', { correct: false, expected: 'other', asked: true }],
    ['wrong-and-no-more', { correct: false, asked: true }],
    ['the-candidate-served-and-was-right', { correct: true, asked: true, arm: 'candidate' }],
  ];
  await reactor.evidence(
    cases.flatMap(([pair, said]) => [differed(id, pair, OUTPUTS), judged(id, pair, said)]),
  );
  assert.deepEqual(await pairsOf(reactor, id), { candidate_wrong: 1, stable_wrong: 2 });
});

test('who speaks up unasked counts once a session', async (t) => {
  const { reactor } = await rolloutWorld(t);
  const id = await roll(reactor, GOOD);
  const said = (pair: string, session: string): Evidence[] => [
    differed(id, pair, OUTPUTS),
    judged(id, pair, { correct: true, session }),
  ];
  await reactor.evidence([...said('a', 'one'), ...said('b', 'one'), ...said('c', 'two')]);
  assert.deepEqual(await pairsOf(reactor, id), { candidate_wrong: 2, stable_wrong: 0 });
});

test('a piece counts once, however often it comes, and pairs survive a restart', async (t) => {
  const world = await rolloutWorld(t);
  const id = await roll(world.reactor, GOOD);
  const answers = differed(id, 'pair', OUTPUTS);
  const judgement = judged(id, 'pair', { correct: true, asked: true });
  for (let i = 0; i < 3; i += 1) await world.reactor.evidence([answers]);
  const reactor = await world.restart();
  for (let i = 0; i < 3; i += 1) await reactor.evidence([answers, judgement]);
  assert.deepEqual(await pairsOf(reactor, id), { candidate_wrong: 1, stable_wrong: 0 });
});

test('blue_green: first only in the shadow, where failures count, then everybody at once', async (t) => {
  const { reactor, clock } = await rolloutWorld(t);
  const id = await roll(reactor, GOOD, { strategy: 'blue_green' });
  const [route] = (await reactor.routes()).routes;
  assert.deepEqual([route?.candidate?.version, route?.candidate?.weight], [GOOD, 0]);
  clock.advance(301);
  assert.match((await reactor.deploymentIn(id, 'holding')).reason, /^Too little traffic at 0 %: /);
  await reactor.evidence([shadowed(id, 0, { count: 10, differed: 3 })]);
  await reactor.deploymentThat(id, 'everybody to get it', (d) => d.current_percentage === 100);
  clock.advance(301);
  await reactor.evidence([requests(id, 1, 10)]);
  const { steps } = await reactor.deploymentIn(id, 'promoted');
  assert.deepEqual(
    steps.map(({ percent, pairs, requests }) => ({ percent, pairs, requests })),
    [
      { percent: 0, pairs: 10, requests: 0 },
      { percent: 100, pairs: 0, requests: 10 },
    ],
  );
});

test('blue_green: what fails in the shadow never meets anybody', async (t) => {
  const { reactor } = await rolloutWorld(t);
  const id = await roll(reactor, GOOD, { strategy: 'blue_green' });
  await reactor.evidence([shadowed(id, 0, { count: 20, failures: 9 })]);
  const { reason, steps } = await reactor.deploymentIn(id, 'rolled_back');
  assert.match(reason, /^9 of 20 requests to v0\.1\.1 failed, over the limit of 5 %/);
  assert.deepEqual(
    steps.map((step) => step.percent),
    [0],
  );
});

test('ab_test: even halves, inconclusive until it is shown to be no worse', async (t) => {
  const { reactor, clock } = await rolloutWorld(t);
  const id = await roll(reactor, GOOD, { strategy: 'ab_test' });
  await reactor.evidence([requests(id, 0, 200)]);
  clock.advance(301);
  const held = await reactor.deploymentIn(id, 'holding');
  assert.match(held.reason, /^Inconclusive: .* is not shown yet \(evidence 1\.0, needs 40\)/);
  assert.equal(held.current_percentage, 50);
  const won = Array.from({ length: 10 }, (_, i) => `pair-${i}`);
  await reactor.evidence(
    won.flatMap((pair) => [
      differed(id, pair, ['wrong', 'right']),
      judged(id, pair, { correct: false, expected: 'right', asked: true, weight: 0.5 }),
    ]),
  );
  assert.match(
    (await reactor.deploymentIn(id, 'promoted')).reason,
    /that it is right where the two differ is shown/,
  );
});

test('canary: one small step, then everybody', async (t) => {
  const { reactor } = await rolloutWorld(t);
  const id = await roll(reactor, GOOD, { strategy: 'canary', config: { initial_percentage: 3 } });
  assert.equal((await reactor.deployment(id)).current_percentage, 3);
});
