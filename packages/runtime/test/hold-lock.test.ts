// Holding a lock against a server that answers as the test says: what is asked again, when it counts as lost.
import assert from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { json } from 'node:stream/consumers';
import { test, type TestContext } from 'node:test';
import { CodedError, type ErrorCode, isCodedError } from '@jarvis/contracts';
import { ManualClock, ReturningServer, seededRandom, until } from '@jarvis/testkit';
import {
  createServiceClient,
  type HeldLock,
  holdLock,
  type HoldLockOptions,
  problemOf,
} from '../src/index.ts';

const TTL_MS = 60_000;
const SURE_MS = TTL_MS * 0.99;

interface Asked {
  readonly action: string;
  readonly body: { readonly request_id?: string; readonly token?: number };
}
/** A token, an error's code, or nothing at all: then the connection breaks. */
type Said = number | ErrorCode | 'nothing';

/** Plays JARVIS Core: each call is answered by the next of `says`, the last one again and again. */
class Desk extends ReturningServer {
  readonly asked: Asked[] = [];
  says: Said[] = [1];
  /** Called before each answer. */
  before: () => void = () => undefined;

  protected async answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const action = (req.url ?? '').split('/').at(-1) ?? '';
    this.asked.push({ action, body: (await json(req)) as Asked['body'] });
    this.before();
    const [said = 'nothing'] = this.says;
    if (this.says.length > 1) this.says.shift();
    if (said === 'nothing') return void res.destroy();
    const answer =
      typeof said === 'number'
        ? { name: 'x', holder: 'a', token: said, ttl_seconds: TTL_MS / 1000, released: true, request_id: 'r' }
        : problemOf(new CodedError(said, said));
    res.writeHead(typeof said === 'number' ? 200 : 409, { 'content-type': 'application/json' });
    res.end(JSON.stringify(answer));
  }

  idsOf(action: string): (string | undefined)[] {
    return this.asked.filter((a) => a.action === action).map((a) => a.body.request_id);
  }
}

interface World {
  readonly desk: Desk;
  readonly clock: ManualClock;
  readonly hold: (more?: Partial<HoldLockOptions>) => Promise<HeldLock>;
}

async function open(t: TestContext): Promise<World> {
  const desk = new Desk();
  await desk.start();
  const clock = new ManualClock();
  const client = createServiceClient({
    name: 'JARVIS Core',
    baseUrl: desk.url,
    timeoutMs: 5_000,
    retries: 0,
    retryDelayMs: 0,
    token: null,
    clock,
  });
  t.after(async () => {
    await client.close();
    await desk.stop();
  });
  const options = {
    client,
    clock,
    random: seededRandom(1),
    name: 'x',
    holder: 'a',
    ttlMs: TTL_MS,
    waitMs: 0,
  };
  return { desk, clock, hold: (more = {}) => holdLock({ ...options, ...more }) };
}

/** Time goes on until something comes of it. */
async function pass<T>(clock: ManualClock, ms: number, outcome: Promise<T>): Promise<T> {
  let ended = false;
  const mark = (): void => void (ended = true);
  outcome.then(mark, mark);
  await until('time to bring it about', () => {
    if (!ended) clock.advance(ms);
    return ended;
  });
  return outcome;
}

test('not answered, it asks again with the same request id', async (t) => {
  const { desk, clock, hold } = await open(t);
  desk.says = ['nothing', 'nothing', 5];
  const lock = await pass(clock, 100, hold());
  assert.equal(lock.token, 5);
  const ids = desk.idsOf('acquire');
  assert.equal(ids.length, 3);
  assert.equal(new Set(ids).size, 1);
  await lock.release();
});

test('when the grant of its request is over before it heard of it, it asks with another', async (t) => {
  const { desk, clock, hold } = await open(t);
  desk.says = ['nothing', 'request_ended', 6];
  const lock = await pass(clock, 100, hold());
  const [first, second, third] = desk.idsOf('acquire');
  assert.equal(first, second);
  assert.notEqual(second, third);
  await lock.release();
});

test('its time is counted from when it asked, not from the answer', async (t) => {
  const { desk, clock, hold } = await open(t);
  desk.before = () => clock.advance(10_000);
  const lock = await hold();
  assert.equal(lock.leftMs(), SURE_MS - 10_000);
  desk.before = () => undefined;
  await lock.release();
});

test('renewed, its time begins when the renewal was sent; not renewed any more, it is lost', async (t) => {
  const { desk, clock, hold } = await open(t);
  const lock = await hold({ marginMs: 10_000 });
  assert.equal(lock.leftMs(), TTL_MS - 10_000);
  clock.advance(TTL_MS / 3);
  await until('it to be renewed', () => lock.leftMs() === TTL_MS - 10_000);
  desk.says = ['nothing'];
  clock.advance(TTL_MS - 10_001);
  assert.equal(lock.leftMs(), 1);
  assert.ok(!lock.lost.aborted);
  clock.advance(1);
  assert.equal(lock.leftMs(), 0);
  await until('it to say so', () => lock.lost.aborted);
  assert.match(String(lock.lost.reason), /lock x \(token 1\) is lost: nothing renewed it in time/);
});

test('refused at a renewal, it is lost at once', async (t) => {
  const { desk, clock, hold } = await open(t);
  const lock = await hold();
  desk.says = ['lock_lost'];
  clock.advance(TTL_MS / 3);
  await until('it to be lost', () => lock.lost.aborted);
  assert.equal(lock.leftMs(), 0);
});

test('a renewal that is answered too late keeps nothing', async (t) => {
  const { desk, clock, hold } = await open(t);
  const lock = await hold();
  desk.before = () => clock.advance(TTL_MS);
  clock.advance(TTL_MS / 3);
  await until('it to be lost', () => lock.lost.aborted);
});

test('who waits no more calls its request off', async (t) => {
  const { desk, clock, hold } = await open(t);
  desk.says = ['lock_held'];
  const interrupted = new AbortController();
  const waits = hold({
    waitMs: Number.POSITIVE_INFINITY,
    signal: interrupted.signal,
    onWait: () => interrupted.abort(new Error('enough')),
  });
  await assert.rejects(waits, /enough/);
  assert.deepEqual(desk.idsOf('cancel'), [desk.idsOf('acquire')[0]]);
  const notGot = pass(clock, 100, hold({ waitMs: 1_000 }));
  await assert.rejects(notGot, (error) => isCodedError(error, 'lock_held'));
  assert.equal(desk.idsOf('cancel').at(-1), desk.idsOf('acquire').at(-1));
});

test('given back once, whether the first answer to that was lost or not', async (t) => {
  const { desk, clock, hold } = await open(t);
  const lock = await hold();
  desk.says = ['nothing', 1];
  assert.equal(await pass(clock, 100, lock.release()), 'released');
  assert.equal(lock.leftMs(), 0);
  assert.ok(!lock.lost.aborted);
  const other = await hold();
  await desk.stop();
  assert.equal(await pass(clock, 100, other.release()), 'unknown');
});

test('nobody there, it says so soon', async (t) => {
  const { desk, clock, hold } = await open(t);
  await desk.stop();
  await assert.rejects(pass(clock, 100, hold()), (error) => isCodedError(error, 'service_unavailable'));
});
