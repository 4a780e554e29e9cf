// A home with real nlu versions, made once for a test file and copied for each test:
//   v0.1.0 champion    v0.1.1, v0.1.2 as good    v0.1.3 clearly worse on the held-out rows
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, type TestContext } from 'node:test';
import type { DatasetRow, Evidence } from '@jarvis/contracts';
import { commands } from './experiences.ts';
import { type Ending, makeWorld, type Reactor, type World } from './harness.ts';
import { ShiftedClock } from './shifted-clock.ts';
import { until } from './until.ts';

export const CHAMPION = 'v0.1.0';
export const GOOD = 'v0.1.1';
export const OTHER_GOOD = 'v0.1.2';
export const WORSE = 'v0.1.3';
export const STEP_SECONDS = 300;
export const STEP_REQUESTS = 10;

const INTENTS = 8;
const EPOCHS = 12;
const JUDGE_INTERVAL_MS = 20;
/** Judge and gatekeeper take turns at the same interval: within so many, each had its look. */
const TURNS = 12;
const LEARNERS: readonly { mislearns: number }[] = [
  { mislearns: 0 },
  { mislearns: 0 },
  { mislearns: 0 },
  { mislearns: 1 },
];

/** Rows to train on, their intents moved on by `mislearns`, and rows for the gate, which are right. */
function rowsOf(mislearns: number, seed: number): DatasetRow[] {
  const wrong = (i: number): string => `intent-${(i + mislearns) % INTENTS}`;
  const rows = (split: DatasetRow['split'], each: number, intent?: (i: number) => string): DatasetRow[] =>
    commands(INTENTS, each, intent).map(({ input, expected_output }, i) => ({
      id: `${split}-${seed}-${i}`,
      split,
      input,
      expected_output: expected_output ?? {},
    }));
  return [...rows('train', 4, wrong), ...rows('gate', 2)];
}

const undo: (() => Promise<void>)[] = [];
after(async () => {
  for (const step of undo.toReversed()) await step();
});
const endOfFile: Ending = { after: (step) => void undo.push(step) };
let seeded: Promise<string> | undefined;

async function seedHome(): Promise<string> {
  const world = await makeWorld(endOfFile, { env: { TRAINER_NLU_COMMAND: '' } });
  const reactor = await world.start();
  for (const [i, { mislearns }] of LEARNERS.entries()) {
    const dataset_path = join(world.home, 'data', `rows-${i}.ndjson`);
    const rows = rowsOf(mislearns, i).map((row) => JSON.stringify(row));
    await writeFile(dataset_path, rows.join('\n'));
    const job_id = `job-${i}`;
    const job = { job_id, model_type: 'nlu' as const, epochs: EPOCHS, checkpoint_enabled: false };
    await reactor.start({ ...job, dataset_path, fencing_token: i + 1, auto_deploy: i === 0 });
    const last = (await reactor.eventsToEnd(job_id)).at(-1);
    assert.equal(last?.data['model_version'], [CHAMPION, GOOD, OTHER_GOOD, WORSE][i]);
    await until(
      `the slot of ${job_id} to be free`,
      async () => (await reactor.runs('?live=true')).length === 0,
    );
  }
  await until('a champion', async () => (await reactor.routes()).routes[0]?.stable.version === CHAMPION);
  await reactor.stop();
  return world.home;
}

export interface RolloutWorld extends World {
  readonly clock: ShiftedClock;
  readonly reactor: Reactor;
  /** Stops Reactor Core and starts it again on the same clock. */
  readonly restart: (meanwhile?: () => void) => Promise<Reactor>;
  /** Waits until judge and gatekeeper have looked: what they would do is done. */
  readonly looked: () => Promise<void>;
}

export async function rolloutWorld(t: TestContext, env: Record<string, string> = {}): Promise<RolloutWorld> {
  seeded ??= seedHome();
  const rollout = {
    ROLLOUT_STEPS: '10,50,100',
    ROLLOUT_STEP_SECONDS: String(STEP_SECONDS),
    ROLLOUT_STEP_MIN_REQUESTS: String(STEP_REQUESTS),
  };
  const world = await makeWorld(t, { seed: await seeded, env: { ...rollout, ...env } });
  const clock = new ShiftedClock();
  const reactor = await world.start({ clock });
  return {
    ...world,
    clock,
    reactor,
    restart: async (meanwhile) => {
      await reactor.stop();
      meanwhile?.();
      return world.start({ clock });
    },
    looked: async () => {
      const enough = clock.turns(JUDGE_INTERVAL_MS) + TURNS;
      await until('the judge to have looked', () => clock.turns(JUDGE_INTERVAL_MS) >= enough);
    },
  };
}

/** A rollout at its first step. */
export async function roll(reactor: Reactor, version: string, more: object = {}): Promise<string> {
  const id = await reactor.deploy(version, more);
  await reactor.deploymentIn(id, 'rolling');
  return id;
}

/** A rollout that went well at its first step, some of it in the shadow, and is at its second. */
export async function rollToSecondStep(
  { reactor, clock }: Pick<RolloutWorld, 'reactor' | 'clock'>,
  id: string,
): Promise<void> {
  await reactor.evidence([requests(id, 0, STEP_REQUESTS), shadowed(id, 0, { count: 7, differed: 2 })]);
  clock.advance(STEP_SECONDS + 1);
  await reactor.deploymentThat(id, 'the second step', (d) => d.steps.length === 2);
}

let evidenceCount = 0;
function evidenceFields(deploymentId: string): {
  evidence_id: string;
  deployment_id: string;
  observed_at: string;
} {
  evidenceCount += 1;
  const observed_at = '2026-01-01T00:00:00.000Z';
  return { evidence_id: `evidence-${evidenceCount}`, deployment_id: deploymentId, observed_at };
}

export function requests(deploymentId: string, step: number, count: number): Evidence {
  return { ...evidenceFields(deploymentId), kind: 'requests', arm: 'candidate', count, step };
}

type ErrorKind = 'failed' | 'slow' | 'corrected';
type Arm = Evidence['arm'];

/** Errors of so many sessions; a name makes them all of one. */
export function errors(
  deploymentId: string,
  count: number,
  of: { kind?: ErrorKind; arm?: Arm; weight?: number; session?: string } = {},
): Evidence[] {
  const { kind = 'failed', arm = 'candidate', weight = 0.1, session } = of;
  return Array.from({ length: count }, () => {
    const fields = evidenceFields(deploymentId);
    return { ...fields, kind, arm, weight, session_hash: session ?? `session-of-${fields.evidence_id}` };
  });
}

/** Inputs that the candidate was asked in the shadow during a step. */
export function shadowed(
  deploymentId: string,
  step: number,
  of: { count: number; failures?: number; differed?: number },
): Evidence {
  const { count, failures = 0, differed = 0 } = of;
  return {
    ...evidenceFields(deploymentId),
    kind: 'shadowed',
    arm: 'candidate',
    count,
    failures,
    differed,
    step,
  };
}

/** What both answered to an input that the stable version served. */
export function differed(
  deploymentId: string,
  pairId: string,
  [stable, candidate]: [string, string],
): Evidence {
  return {
    ...evidenceFields(deploymentId),
    kind: 'differed',
    arm: 'stable',
    pair_id: pairId,
    stable_output: { intent: stable },
    candidate_output: { intent: candidate },
  };
}

/** What was said of the answer of a pair; by a session of its own unless one is named. */
export function judged(
  deploymentId: string,
  pairId: string,
  of: { correct: boolean; expected?: string; arm?: Arm; weight?: number; asked?: boolean; session?: string },
): Evidence {
  const {
    correct,
    expected,
    arm = 'stable',
    weight = 0.1,
    asked = false,
    session = `session-of-${pairId}`,
  } = of;
  return {
    ...evidenceFields(deploymentId),
    kind: 'judged',
    arm,
    weight,
    session_hash: session,
    pair_id: pairId,
    correct,
    expected_output: expected === undefined ? null : { intent: expected },
    asked,
  };
}

export function broken(deploymentId: string, detail: string): Evidence {
  return { ...evidenceFields(deploymentId), kind: 'broken', arm: 'candidate', detail };
}
