// What the coordinator asks for outside while something it was told is still unread, or could not be stored.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CodedError } from '@jarvis/contracts';
import {
  Coordinator,
  type CoordinatorStore,
  type ExternalWork,
  type StoredJob,
  type StoredState,
} from '../src/index.ts';
import { SCHEDULING } from './options.ts';

const JOB: StoredJob = {
  jobId: 'j',
  modelType: 'nlu',
  priority: 'high',
  state: 'training',
  submittedAtMs: 0,
  notBeforeMs: null,
  waitingSinceMs: null,
  slot: 0,
  leaseId: 'l',
  need: { host_id: 'h', ram_bytes: 1, vram_bytes: {} },
  leastRamBytes: 1,
  cancelRequested: false,
  attempt: 1,
  token: 1,
  runCursor: 0,
  reason: '',
  maxWaitMs: null,
  hasRun: true,
  trainingSinceMs: 0,
  preemptedAtMs: [],
};

/** One job, a store whose writes can fail, and what was performed. */
function setUp(job: StoredJob) {
  const state = { job, full: false, onLoad: () => undefined as unknown };
  const performed: ExternalWork[] = [];
  const errors: unknown[] = [];
  const load = (): Promise<StoredState> => {
    state.onLoad();
    return Promise.resolve({ jobs: [state.job], slots: [], leases: [], breakers: [] });
  };
  const write = (change: Partial<StoredJob>): Promise<boolean> => {
    if (state.full) return Promise.reject(new CodedError('storage_full', 'the disk is full'));
    state.job = { ...state.job, ...change };
    return Promise.resolve(true);
  };
  const store = {
    load,
    requeue: () => write({ state: 'queued' }),
    explain: () => Promise.resolve(),
    moveCursor: async (_: string, runCursor: number) => void (await write({ runCursor })),
  } as Partial<CoordinatorStore> as CoordinatorStore;
  const coordinator = new Coordinator({
    store,
    performer: { perform: (work) => performed.push(work) },
    now: () => 0,
    scheduling: SCHEDULING,
    retries: { resume: true, limit: 1, delayMs: () => 0 },
    onError: (error) => errors.push(error),
  });
  return { state, coordinator, performed, errors };
}

const event = (seq: number, name: string) =>
  ({ type: 'run_event', event: { jobId: 'j', seq, event: name, data: { token: 1 } } }) as const;

test('an event that could not be stored is not lost: its stream is read anew from before it', async () => {
  const { state, coordinator, performed, errors } = setUp(JOB);
  state.full = true;
  coordinator.post(event(1, 'preempted'));
  await coordinator.idle();
  assert.equal(errors.length, 1);
  assert.deepEqual(performed.at(-1)?.follow, [], 'the reader that is ahead is ended');
  state.full = false;
  coordinator.post(event(2, 'checkpoint'));
  await coordinator.idle();
  assert.equal(state.job.runCursor, 0, 'nothing is taken in behind a gap');
  coordinator.post({ type: 'look' });
  await coordinator.idle();
  assert.deepEqual(
    performed.at(-1)?.follow.map((j) => j.runCursor),
    [0],
  );
  coordinator.post(event(1, 'preempted'));
  await coordinator.idle();
  assert.equal(state.job.state, 'queued');
});

test('a start whose refusal is still unread is not asked for again', async () => {
  const { state, coordinator, performed } = setUp({ ...JOB, state: 'starting' });
  let told = false;
  state.onLoad = () => {
    if (told) return;
    told = true;
    const refusal = { token: 1, reason: 'no room', final: false, busy: false, retryAfterMs: 0 };
    coordinator.post({ type: 'run_refused', jobId: 'j', ...refusal });
  };
  coordinator.post({ type: 'look' });
  await coordinator.idle();
  assert.deepEqual(
    performed.map((w) => w.start.length),
    [0, 0],
  );
  assert.equal(state.job.state, 'queued');
});

test('what a stream says of an attempt with another slot does not end this one, whatever its token', async () => {
  const { state, coordinator } = setUp({ ...JOB, token: 3 });
  const told = { status: 'lost', attempt: 1, token: 9 };
  coordinator.post({ type: 'run_event', event: { jobId: 'j', seq: 1, event: 'status', data: told } });
  await coordinator.idle();
  assert.deepEqual([state.job.state, state.job.runCursor], ['training', 1]);
  const ours = { ...told, attempt: 2, token: 3 };
  coordinator.post({ type: 'run_event', event: { jobId: 'j', seq: 2, event: 'status', data: ours } });
  await coordinator.idle();
  assert.equal(state.job.state, 'queued');
});

test('a measurement that lay in the inbox for too long is none: nothing is granted on it', async () => {
  const lease = {
    leaseId: 'l',
    purpose: 'training',
    reclaimed: false,
    holder: 'x',
    state: 'requested',
    need: JOB.need,
    expiresAtMs: null,
  } as const;
  const granted: string[] = [];
  let nowMs = 0;
  const coordinator = new Coordinator({
    store: {
      load: () =>
        Promise.resolve({ jobs: [], slots: [], leases: granted.length > 0 ? [] : [lease], breakers: [] }),
      grantLease: (id: string) => Promise.resolve(granted.push(id) > 0),
      explainLease: () => Promise.resolve(),
    } as Partial<CoordinatorStore> as CoordinatorStore,
    performer: { perform: () => undefined },
    now: () => nowMs,
    scheduling: SCHEDULING,
    retries: { resume: true, limit: 1, delayMs: () => 0 },
    memoryAgeMaxMs: 1000,
    onError: (error) => assert.fail(String(error)),
  });
  const memory = {
    measuredAtMs: 0,
    budgetBytes: 9,
    safetyBytes: 0,
    othersBytes: 0,
    othersSteadyBytes: 0,
    devices: {},
    services: [],
    holders: {},
  };
  coordinator.post({ type: 'measured', memory: { ...memory, prime: null } });
  nowMs = 1001;
  await coordinator.idle();
  assert.deepEqual(granted, []);
  coordinator.post({ type: 'measured', memory: { ...memory, prime: null } });
  await coordinator.idle();
  assert.deepEqual(granted, ['l']);
});
