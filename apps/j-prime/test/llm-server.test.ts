// The states of the LLM server, and who is held up, passed on or refused in each; time is moved by hand.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CodedError, isCodedError, type NegotiationPolicy } from '@jarvis/contracts';
import { silentLogger } from '@jarvis/runtime';
import { afterwards, ManualClock } from '@jarvis/testkit';
import type { TestContext } from 'node:test';
import { HELD_MAX } from '../src/llm/demand.ts';
import type { DrainRequest } from '../src/llm/drain.ts';
import type { EngineLook, EngineState, LlmEngine, ReleaseWay } from '../src/llm/engine.ts';
import { type Ask, type Grant, unavailable } from '../src/llm/memory-lease.ts';
import { LlmServer } from '../src/llm/server.ts';
import { RUNNING_MAX } from '../src/llm/traffic.ts';

const stays = new AbortController().signal;

/** An engine in memory: it is in whatever state it was brought to. */
class ScriptedEngine implements LlmEngine {
  readonly name = 'scripted';
  readonly ways: readonly ReleaseWay[] = ['sleep', 'stop'];
  readonly cannot = null;
  readonly apiKey = null;
  readonly startsWhatIsAway = true;
  state: EngineState = 'unloaded';
  running: number | null = 0;
  /** Held back until it is resolved. */
  loads = Promise.withResolvers<void>();
  readonly released: ReleaseWay[] = [];
  closed = false;

  baseUrl(): string {
    return 'http://127.0.0.1:1';
  }
  async look(): Promise<EngineLook> {
    const { state, running } = this;
    return { state, models: ['m'], running, statedBytes: state === 'ready' ? 1000 : 0, detail: 'scripted' };
  }
  async bring(signal: AbortSignal): Promise<void> {
    const off = new Promise<never>((_, reject) =>
      signal.addEventListener('abort', () => reject(signal.reason), { once: true }),
    );
    await Promise.race([this.loads.promise, off]);
    this.state = 'ready';
  }
  async release(way: ReleaseWay): Promise<void> {
    this.released.push(way);
    this.state = way === 'sleep' ? 'asleep' : 'away';
  }
  async pids(): Promise<readonly number[]> {
    return [];
  }
  async close(): Promise<void> {
    this.closed = true;
  }
}

interface Asked extends Ask {
  readonly grant: () => void;
  readonly refuse: (error: unknown) => void;
}

const MEASURED_AFTER_MS = 4_000;

function scene(t: TestContext, policy: NegotiationPolicy = 'wait', preload = false) {
  const clock = new ManualClock();
  const engine = new ScriptedEngine();
  const asked: Asked[] = [];
  const state = { lent: false, given: 0, measured: [] as number[] };
  const memory = {
    ask: (ask: Ask): Promise<Grant> => {
      const { promise, resolve, reject } = Promise.withResolvers<Grant>();
      const release = async (): Promise<void> => void (state.given += 1);
      asked.push({ ...ask, grant: () => resolve({ reason: 'granted', release }), refuse: reject });
      ask.signal.addEventListener('abort', () => reject(unavailable('called off')), { once: true });
      return promise;
    },
  };
  const llm = new LlmServer({
    engine,
    memory,
    needBytes: async () => 1234,
    onMeasured: async (bytes) => void state.measured.push(bytes),
    policy,
    lent: () => state.lent,
    waitMs: 60_000,
    preload,
    measuredAfterMs: MEASURED_AFTER_MS,
    clock,
    random: { unit: () => 0.5, id: (prefix) => prefix },
    logger: silentLogger(),
  });
  // As a request comes: at once where it is ready, else held.
  const admit = (signal: AbortSignal): (() => void) | Promise<() => void> => llm.enter() ?? llm.hold(signal);
  const server = Object.assign(llm, { admit });
  afterwards(t, () => server.stop());
  return { clock, engine, asked, state, server };
}

/** Lets everything that can happen now happen. */
async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise<void>((resolve) => setImmediate(resolve));
}

interface Outcome {
  error: unknown;
  leave: (() => void) | null;
}

/** What becomes of a request: kept from being unhandled until it is looked at. */
function outcome(admitted: unknown): Outcome {
  const seen: Outcome = { error: null, leave: null };
  Promise.resolve(admitted as Promise<() => void>).then(
    (leave) => (seen.leave = leave),
    (error: unknown) => (seen.error = error),
  );
  return seen;
}

const drainOf = (request: Partial<DrainRequest> = {}): DrainRequest => ({
  why: 'a test',
  wantedBytes: 1,
  byMs: Number.MAX_SAFE_INTEGER,
  idleForMs: null,
  signal: stays,
  onQuiet: async () => {},
  onStep: async () => {},
  ...request,
});

test('absent, asking, loading, ready: two requests ask once, are held and then run', async (t) => {
  const { server, asked, engine, state, clock } = scene(t);
  await server.open();
  assert.equal(server.life.state, 'absent');
  const [one, two] = [outcome(server.admit(stays)), outcome(server.admit(stays))];
  await settle();
  assert.equal(server.life.state, 'asking');
  assert.deepEqual([asked.length, asked[0]?.needBytes, asked[0]?.why, server.held], [1, 1234, 'request', 2]);
  asked[0]?.onWaiting('others hold it');
  assert.equal(server.life.reason, 'others hold it');
  asked[0]?.grant();
  await settle();
  assert.deepEqual([server.life.state, state.given], ['loading', 0]);
  engine.loads.resolve();
  await settle();
  assert.deepEqual([server.life.state, server.running, server.held], ['ready', 2, 0]);
  assert.deepEqual([state.measured, state.given], [[1000], 0], 'JARVIS Core has not measured it yet');
  clock.advance(MEASURED_AFTER_MS);
  await settle();
  assert.deepEqual(
    [state.measured, state.given],
    [[1000], 1],
    'measured, and only then the lease is given back',
  );
  one.leave?.();
  one.leave?.();
  assert.equal(server.running, 1, 'nobody leaves twice');
  two.leave?.();
  assert.equal(typeof server.admit(stays), 'function', 'ready: at once');
});

test('idle counts from the end of the last request', async (t) => {
  const { server, engine, clock } = scene(t);
  engine.state = 'ready';
  await server.open();
  assert.equal(server.life.state, 'ready', 'adopted');
  const leave = server.admit(stays) as () => void;
  clock.advance(5_000);
  assert.equal(server.idleMs(), 0);
  leave();
  clock.advance(7_000);
  assert.equal(server.idleMs(), 7_000);
});

test('serving_first: a request is held as long as JPRIME_LLM_WAIT allows, then told why and when to come again', async (t) => {
  const { server, clock, asked } = scene(t, 'serving_first');
  const held = outcome(server.admit(stays));
  await settle();
  asked[0]?.onWaiting('a training is being stopped');
  clock.advance(59_999);
  await settle();
  assert.equal(server.held, 1);
  clock.advance(1);
  await settle();
  assert.ok(isCodedError(held.error, 'llm_unavailable'));
  assert.match(held.error.message, /60 s.*a training is being stopped/);
  assert.equal(held.error.details.retry_after_seconds, 30);
  assert.equal(asked[0]?.signal.aborted, true, 'nobody waits any more: the request for memory is withdrawn');
  assert.equal(server.life.state, 'absent');
});

for (const policy of ['wait', 'training_first'] as const)
  test(`${policy}: memory that is not granted within a second is not waited for, lent memory not even asked for`, async (t) => {
    const { server, clock, asked, state } = scene(t, policy);
    const held = outcome(server.admit(stays));
    await settle();
    clock.advance(1_000);
    await settle();
    assert.ok(isCodedError(held.error, 'llm_unavailable'));
    assert.equal(asked[0]?.signal.aborted, true);
    state.lent = true;
    await assert.rejects(
      async () => server.admit(stays),
      (error) => isCodedError(error, 'llm_unavailable') && error.details.retry_after_seconds === 30,
    );
    assert.equal(asked.length, 1);
  });

test('a load that takes longer than a second is waited for under wait', async (t) => {
  const { server, clock, asked, engine } = scene(t);
  const held = outcome(server.admit(stays));
  await settle();
  asked[0]?.grant();
  await settle();
  clock.advance(30_000);
  await settle();
  assert.equal(held.error, null);
  engine.loads.resolve();
  await settle();
  assert.ok(held.leave !== null);
});

test('a client that hangs up is forgotten, and with the last one the request for memory', async (t) => {
  const { server, asked } = scene(t, 'serving_first');
  const gone = new AbortController();
  const [leaves, waits] = [outcome(server.admit(gone.signal)), outcome(server.admit(stays))];
  await settle();
  gone.abort(new Error('hung up'));
  await settle();
  assert.equal((leaves.error as Error).message, 'hung up');
  assert.deepEqual([server.held, asked[0]?.signal.aborted], [1, false]);
  asked[0]?.refuse(unavailable('there is none'));
  await settle();
  assert.ok(isCodedError(waits.error, 'llm_unavailable'));
  assert.deepEqual([server.held, server.life.state, server.life.reason], [0, 'absent', 'there is none']);
});

test('no more are held, and no more run, than the limits say', async (t) => {
  const { server, engine, asked } = scene(t, 'serving_first');
  const held = Array.from({ length: HELD_MAX + 1 }, () => outcome(server.admit(stays)));
  await settle();
  assert.ok(isCodedError(held.at(-1)?.error, 'overloaded'));
  assert.equal(held.filter((h) => h.error !== null).length, 1);
  asked[0]?.grant();
  engine.loads.resolve();
  await settle();
  for (let i = server.running; i < RUNNING_MAX; i++) void server.admit(stays);
  assert.throws(
    () => server.admit(stays),
    (error) => isCodedError(error, 'overloaded'),
  );
});

test('broken: told why, tried again after a while', async (t) => {
  const { server, engine, clock, asked, state } = scene(t);
  const held = outcome(server.admit(stays));
  await settle();
  asked[0]?.grant();
  engine.loads.reject(new CodedError('llm_unavailable', 'the file is no model'));
  await settle();
  assert.deepEqual(
    [server.life.state, server.life.reason, state.given],
    ['broken', 'the file is no model', 1],
  );
  assert.ok(isCodedError(held.error, 'llm_unavailable') && held.error.message.includes('no model'));
  await assert.rejects(
    async () => server.admit(stays),
    (error) => isCodedError(error, 'llm_unavailable') && error.details.retry_after_seconds === 2,
  );
  clock.advance(2_000);
  await settle();
  assert.equal(server.life.state, 'absent');
  engine.loads = Promise.withResolvers();
  engine.loads.resolve();
  const again = outcome(server.admit(stays));
  await settle();
  asked[1]?.grant();
  await settle();
  assert.ok(again.leave !== null);
  assert.deepEqual(server.loads, { ready: 1, failed: 1 });
});

test('draining: nothing new starts, what runs ends, then the cheapest way that gives enough', async (t) => {
  const { server, engine } = scene(t);
  engine.state = 'ready';
  await server.open();
  const running = server.admit(stays) as () => void;
  const steps: string[] = [];
  const drained = server.drain(
    drainOf({ onStep: async ({ way, freedBytes }) => void steps.push(`${way} ${freedBytes}`) }),
  );
  await settle();
  assert.deepEqual([server.life.state, engine.released], ['draining', []]);
  await assert.rejects(
    async () => server.admit(stays),
    (error) => isCodedError(error, 'llm_unavailable'),
  );
  running();
  assert.deepEqual({ ...(await drained), reason: '' }, { freedBytes: 1000, left: true, reason: '' });
  assert.deepEqual([steps, engine.released, server.life.state], [['sleep 1000'], ['sleep'], 'absent']);
});

test('draining: traffic around J-Prime is waited for too, up to the deadline; then it stays, and the held go on', async (t) => {
  const { server, engine, clock } = scene(t, 'serving_first');
  engine.state = 'ready';
  await server.open();
  engine.running = 1;
  const drained = server.drain(drainOf({ byMs: clock.now() + 1_000 }));
  await settle();
  const held = outcome(server.admit(stays));
  await settle();
  assert.deepEqual([server.life.state, server.held], ['draining', 1]);
  clock.advance(1_000);
  const { left, reason } = await drained;
  await settle();
  assert.deepEqual([left, server.life.state, engine.released], [false, 'ready', []]);
  assert.match(reason, /in use/);
  assert.ok(held.leave !== null);
});

test('draining what is in use is refused where only the idle goes; what others do to it counts as use', async (t) => {
  const { server, engine, clock } = scene(t);
  engine.state = 'ready';
  await server.open();
  server.start();
  await settle();
  clock.advance(60_000);
  engine.running = 1;
  server.doubt();
  await settle();
  assert.equal((await server.resources()).busy_elsewhere, true);
  assert.match((await server.drain(drainOf({ idleForMs: 1_000 }))).reason, /in use/);
  engine.running = 0;
  server.doubt();
  await settle();
  assert.equal((await server.resources()).busy_elsewhere, false);
  assert.match((await server.drain(drainOf({ idleForMs: 1_000 }))).reason, /in use/, 'idle only from now on');
  clock.advance(1_000);
  assert.equal((await server.drain(drainOf({ idleForMs: 1_000 }))).left, true);
});

test('training_first ends even the asking; who waits is told', async (t) => {
  const { server, asked } = scene(t, 'training_first');
  const held = outcome(server.admit(stays));
  await settle();
  const { left } = await server.drain(drainOf());
  await settle();
  assert.deepEqual([left, server.life.state, asked[0]?.signal.aborted], [false, 'absent', true]);
  assert.ok(isCodedError(held.error, 'llm_unavailable'));
});

test('restore and preload ask for memory without a request, and give up after a while', async (t) => {
  const { server, clock, asked } = scene(t, 'wait', true);
  await server.open();
  server.start();
  await settle();
  assert.deepEqual([asked[0]?.why, server.life.state], ['restore', 'asking']);
  clock.advance(60_000);
  await settle();
  assert.deepEqual([asked[0]?.signal.aborted, server.life.state], [true, 'absent']);
});

test('it died: seen in two looks; somebody else loaded it: taken over', async (t) => {
  const { server, engine, clock } = scene(t);
  engine.state = 'ready';
  await server.open();
  server.start();
  await settle();
  engine.state = 'away';
  server.doubt();
  await settle();
  assert.equal(server.life.state, 'ready', 'one look may be missed');
  clock.advance(200);
  await settle();
  assert.equal(server.life.state, 'absent');
  engine.state = 'ready';
  clock.advance(2_000);
  await settle();
  assert.equal(server.life.state, 'ready');
  assert.match(server.life.reason, /somebody else/);
});

test('stopping: the held are told, the engine is closed', async (t) => {
  const { server, engine } = scene(t, 'serving_first');
  const held = outcome(server.admit(stays));
  await settle();
  await server.stop();
  assert.ok(isCodedError(held.error, 'service_unavailable'));
  assert.equal(engine.closed, true);
});
