// Locks against a model: whatever is asked in whatever order, at whatever time, store and model answer alike, and what a
// lock promises holds of the answers alone.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CodedError } from '@jarvis/contracts';
import type { Database } from '@jarvis/store';
import { storeEngines } from '@jarvis/testkit';
import * as fc from 'fast-check';
import { cancelRequest, releaseLock, renewLock, requestLock, withdrawGrant } from '../src/store/locks.ts';
import { MIGRATIONS } from '../src/store/migrations.ts';

const TTL_MS = 1_000;
const RUNS = { sqlite: 300, postgres: 60 };
const OPERATIONS_MAX = 30;

const holder = fc.constantFrom('a', 'b', 'c');
const requestId = fc.constantFrom('r1', 'r2', 'r3');
/** Which of the tokens given so far, counted from the newest. */
const age = fc.nat(2);
const operation = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('acquire'), holder, requestId: fc.option(requestId) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('renew'), holder, age }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('release'), holder, age }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('withdraw'), holder, age }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('cancel'), requestId }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('pass'), ms: fc.integer({ min: 1, max: TTL_MS }) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('jump'), ms: fc.integer({ min: -5_000, max: 5_000 }) }),
  },
);
type Operation =
  | { kind: 'acquire'; holder: string; requestId: string | null }
  | { kind: 'renew' | 'release' | 'withdraw'; holder: string; age: number }
  | { kind: 'cancel'; requestId: string }
  | { kind: 'pass' | 'jump'; ms: number };

interface Held {
  readonly holder: string;
  readonly requestId: string | null;
  untilMs: number;
}

/** What a lock is, as plainly as it can be said. */
class Model {
  nowMs = 1_000_000;
  token = 0;
  held: Held | null = null;
  readonly ended = new Set<string>();

  apply(operation: Operation): string {
    switch (operation.kind) {
      case 'acquire':
        return this.#acquire(operation.holder, operation.requestId);
      case 'renew': {
        const { held } = this;
        if (held === null || !this.#has(operation) || held.untilMs <= this.nowMs) return 'lost';
        held.untilMs = this.nowMs + TTL_MS;
        return 'renewed';
      }
      case 'release':
      case 'withdraw': {
        if (!this.#has(operation)) return operation.kind === 'withdraw' ? 'done' : 'not held';
        if (operation.kind === 'release') this.#endRequest();
        this.held = null;
        return operation.kind === 'withdraw' ? 'done' : 'released';
      }
      case 'cancel': {
        this.ended.add(operation.requestId);
        if (this.held?.requestId !== operation.requestId) return 'not held';
        this.held = null;
        return 'released';
      }
      case 'pass':
      case 'jump':
        this.nowMs += operation.ms;
        return 'later';
    }
  }

  tokenOf({ age }: { readonly age: number }): number {
    return Math.max(1, this.token - age);
  }

  #acquire(holder: string, requestId: string | null): string {
    const { held, nowMs } = this;
    if (requestId !== null && this.ended.has(requestId)) return 'request_ended';
    if (held !== null) {
      const isOver = held.untilMs <= nowMs;
      const isOwnId = requestId !== null && held.requestId === requestId;
      if (isOwnId && held.holder !== holder) return 'idempotency_conflict';
      if (isOwnId && isOver) return 'request_ended';
      if (!isOver && held.holder === holder && held.requestId === requestId) {
        held.untilMs = nowMs + TTL_MS;
        return `granted ${this.token}`;
      }
      if (!isOver) {
        held.untilMs = Math.min(held.untilMs, nowMs + TTL_MS);
        return 'held';
      }
      this.#endRequest();
    }
    this.token += 1;
    this.held = { holder, requestId, untilMs: nowMs + TTL_MS };
    return `granted ${this.token}`;
  }

  #has(operation: { readonly holder: string; readonly age: number }): boolean {
    return this.held?.holder === operation.holder && this.tokenOf(operation) === this.token;
  }

  #endRequest(): void {
    if (this.held?.requestId != null) this.ended.add(this.held.requestId);
  }
}

async function ask(db: Database, name: string, model: Model, operation: Operation): Promise<string> {
  const { nowMs } = model;
  return db.transaction('test.lock', async (tx) => {
    switch (operation.kind) {
      case 'acquire': {
        const { holder, requestId } = operation;
        const request = { name, holder, requestId, nowMs, ttlMs: TTL_MS, inTurn: true };
        const answer = await requestLock(tx, request);
        return answer.kind === 'granted' ? `granted ${answer.token}` : 'held';
      }
      case 'renew': {
        const held = { name, holder: operation.holder, token: model.tokenOf(operation) };
        return (await renewLock(tx, { ...held, nowMs, ttlMs: TTL_MS })) === null ? 'lost' : 'renewed';
      }
      case 'release': {
        const held = { name, holder: operation.holder, token: model.tokenOf(operation) };
        return (await releaseLock(tx, held)) ? 'released' : 'not held';
      }
      case 'withdraw':
        await withdrawGrant(tx, { name, holder: operation.holder, token: model.tokenOf(operation) });
        return 'done';
      case 'cancel':
        return (await cancelRequest(tx, name, operation.requestId)) ? 'released' : 'not held';
      case 'pass':
      case 'jump':
        return 'later';
    }
  });
}

/** Seen from outside only: tokens grow, and a token is never that of two. */
class Promises {
  readonly #ownerOf = new Map<number, string>();
  #highest = 0;

  check(operation: Operation, answer: string): void {
    const token = Number(/^granted (\d+)$/.exec(answer)?.[1] ?? Number.NaN);
    if (operation.kind !== 'acquire' || Number.isNaN(token)) return;
    assert.ok(token >= this.#highest, `token ${token} after ${this.#highest}`);
    this.#highest = token;
    const owner = `${operation.holder} ${operation.requestId}`;
    assert.equal(this.#ownerOf.get(token) ?? owner, owner, `token ${token} belongs to one`);
    this.#ownerOf.set(token, owner);
  }
}

for (const engine of await storeEngines()) {
  test(`${engine.name}: locks do what the model does`, { skip: engine.skip }, async (t) => {
    const db = await engine.open(t, MIGRATIONS);
    let runs = 0;
    const operations = fc.array(operation, { maxLength: OPERATIONS_MAX });
    await fc.assert(
      fc.asyncProperty(operations, async (script) => {
        const name = `lock-${(runs += 1)}`;
        const model = new Model();
        const promises = new Promises();
        for (const step of script) {
          const answer = await ask(db, name, model, step).catch((error: unknown) => {
            if (error instanceof CodedError) return error.code;
            throw error;
          });
          promises.check(step, answer);
          assert.equal(answer, model.apply(step), JSON.stringify(step));
        }
      }),
      { numRuns: RUNS[engine.name], seed: 20_261_124 },
    );
  });
}
