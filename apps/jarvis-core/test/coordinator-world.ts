// The coordinator over the real store, on each engine, with the work outside recorded.
import assert from 'node:assert/strict';
import { test as nodeTest, type TestContext } from 'node:test';
import { BYTES_PER_GB } from '@jarvis/contracts';
import { Coordinator, type ExternalWork } from '@jarvis/coordinator';
import type { MemoryView } from '@jarvis/policy';
import { createEventLog } from '@jarvis/store';
import { afterwards, ManualClock, seededRandom, type StoreEngine, storeEngines } from '@jarvis/testkit';
import { createSlotLocks } from '../src/store/locks.ts';
import { MIGRATIONS } from '../src/store/migrations.ts';
import { findJob } from '../src/store/jobs.ts';
import { Queue } from '../src/store/queue.ts';

export const ROOMY: MemoryView = {
  measuredAtMs: 0,
  budgetBytes: 64 * BYTES_PER_GB,
  safetyBytes: 0,
  othersBytes: 0,
  othersSteadyBytes: 0,
  devices: {},
  services: [],
  holders: {},
  prime: null,
};
export const submission = {
  model_type: 'nlu',
  config: {},
  auto_deploy: true,
  reason: 'test',
  source: 'asked',
} as const;

export const BREAKER = { failures: 3, cooldownMs: 60_000, cooldownMaxMs: 3_600_000 };

const engines = await storeEngines();
/** Of the test that runs now; tests of a file run one after another. */
let engine: StoreEngine | undefined;

/** The test on each engine of the store. */
export function test(what: string, body: (t: TestContext) => Promise<void>): void {
  for (const each of engines)
    nodeTest(`${each.name}: ${what}`, { skip: each.skip }, (t) => {
      engine = each;
      return body(t);
    });
}

export async function setUp(t: TestContext, retryLimit = 2) {
  assert.ok(engine);
  const db = await engine.open(t, MIGRATIONS);
  await db.transaction('test.step', (tx) => createSlotLocks(tx, 1));
  const clock = new ManualClock();
  const events = createEventLog(db);
  const queue = new Queue({
    db,
    events,
    random: seededRandom(1),
    hostId: 'h',
    slots: 1,
    lockTtlMs: 60_000,
    leaseTtlMs: 60_000,
    epochs: 10,
    maxWaitMs: 86_400_000,
    breaker: BREAKER,
    defaultNeedBytes: () => BYTES_PER_GB,
  });
  const errors: unknown[] = [];
  let work: ExternalWork | null = null;
  const make = (): Coordinator => {
    const made = new Coordinator({
      store: queue,
      performer: { perform: (w) => (work = w) },
      now: () => clock.now(),
      scheduling: {
        policy: 'wait',
        slotTimeoutMs: 300_000,
        agingMs: 3_600_000,
        primeThresholdBytes: 20 * BYTES_PER_GB,
        primeIdleMs: 60_000,
        preemptAfterMs: 30_000,
        preemptionsPerHour: 3,
        breaker: BREAKER,
      },
      retries: { resume: true, limit: retryLimit, delayMs: (attempt) => attempt * 1000 },
      onError: (error) => errors.push(error),
    });
    afterwards(t, () => made.stop());
    return made;
  };
  const coordinator = make();
  t.after(() => assert.deepEqual(errors, []));
  const ready = async (c = coordinator) => {
    c.post({ type: 'runs_observed', runs: [] });
    c.post({ type: 'measured', memory: ROOMY });
    await c.idle();
  };
  return {
    db,
    clock,
    queue,
    events,
    coordinator,
    ready,
    make,
    work: () => work as ExternalWork,
    job: (id: string) => findJob(db, id),
  };
}

/** A job that Reactor Core has taken. */
export async function training(s: Awaited<ReturnType<typeof setUp>>): Promise<string> {
  const { jobId } = await s.coordinator.submit(submission);
  await s.coordinator.idle();
  s.coordinator.post({ type: 'run_started', jobId, token: s.work().start[0]?.token ?? -1 });
  await s.coordinator.idle();
  assert.equal((await s.job(jobId))?.state, 'training');
  return jobId;
}
export const runEvent = (jobId: string, seq: number, event: string, data: Record<string, unknown>) =>
  ({ type: 'run_event', event: { jobId, seq, event, data } }) as const;
export const lost = { status: 'lost', epoch: 3, total_epochs: 10, loss: 1, accuracy: null, attempt: 1 };
