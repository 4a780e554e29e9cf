// Memory for the LLM asked for at a JARVIS Core: granted, refused, waited for, renewed, withdrawn; and without one.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isCodedError } from '@jarvis/contracts';
import { createServiceClient, silentLogger, systemClock } from '@jarvis/runtime';
import { afterwards, until } from '@jarvis/testkit';
import type { TestContext } from 'node:test';
import { type Ask, MemoryLease } from '../src/llm/memory-lease.ts';
import { FixtureCore } from './fixture-core.ts';

const GB = 1024 ** 3;
const stays = new AbortController().signal;

async function scene(t: TestContext) {
  const core = new FixtureCore();
  await core.start();
  const client = createServiceClient({
    name: 'JARVIS Core',
    baseUrl: core.url,
    timeoutMs: 2_000,
    retries: 0,
    retryDelayMs: 10,
    token: null,
    clock: systemClock,
  });
  afterwards(t, async () => {
    await core.stop();
    await client.close();
  });
  const machine = { lent: false, availableBytes: 8 * GB };
  const memory = new MemoryLease({
    core: client,
    lent: () => machine.lent,
    availableBytes: async () => machine.availableBytes,
    safetyBytes: GB,
    clock: systemClock,
    logger: silentLogger(),
  });
  const told: string[] = [];
  const ask = (more: Partial<Ask> = {}): Ask => ({
    needBytes: 4 * GB,
    why: 'request',
    signal: stays,
    onWaiting: (reason) => void told.push(reason),
    ...more,
  });
  return { core, memory, machine, told, ask };
}

const isUnavailable = (pattern: RegExp) => (error: unknown) =>
  isCodedError(error, 'llm_unavailable') &&
  pattern.test(error.message) &&
  error.details.retry_after_seconds === 30;

test('granted: held and renewed until it is given back', async (t) => {
  const { core, memory, ask } = await scene(t);
  core.ttlSeconds = 0.15;
  const grant = await memory.ask(ask());
  assert.equal(core.last?.state, 'granted');
  await until('it to be renewed', () => core.renewals >= 2);
  await grant.release();
  assert.equal(core.last?.state, 'released');
  const { renewals } = core;
  await memory.ask(ask()).then((next) => next.release());
  assert.equal(core.leases.size, 2);
  assert.ok(core.renewals <= renewals + 1);
});

test('waited for, with the reason told, also over a restart of JARVIS Core', async (t) => {
  const { core, memory, told, ask } = await scene(t);
  core.grants = 'never';
  const granted = memory.ask(ask());
  await until('the reason', () => told.includes('a training holds the memory'));
  await core.stop();
  await core.start();
  core.grantAll();
  const grant = await granted;
  assert.match(grant.reason, /lease-1/);
  await grant.release();
});

test('refused: why, and when to come again', async (t) => {
  const { core, memory, ask } = await scene(t);
  core.grants = 'refused';
  await assert.rejects(memory.ask(ask()), isUnavailable(/a training holds the memory/));
});

test('not wanted any more: withdrawn', async (t) => {
  const { core, memory, told, ask } = await scene(t);
  core.grants = 'never';
  const off = new AbortController();
  const asked = memory.ask(ask({ signal: off.signal }));
  const rejected = assert.rejects(asked, isUnavailable(/not asked for any more/));
  await until('it to wait', () => told.length > 0);
  off.abort();
  await rejected;
  assert.equal(core.last?.state, 'released');
});

test('a lease that a J-Prime before this one left behind goes first', async (t) => {
  const { core, memory, ask } = await scene(t);
  const left = await memory.ask(ask({ needBytes: GB }));
  const grant = await memory.ask(ask({ needBytes: 2 * GB }));
  assert.deepEqual(
    core.live().map((lease) => lease.need.ram_bytes),
    [2 * GB],
  );
  await grant.release();
  await left.release();
});

test('JARVIS Core away: what is free, less the safety, when nothing is lent', async (t) => {
  const { core, memory, machine, ask } = await scene(t);
  await core.stop();
  const grant = await memory.ask(ask());
  assert.match(grant.reason, /is away/);
  await grant.release();
  await memory.ask(ask({ needBytes: 7 * GB }));
  await assert.rejects(memory.ask(ask({ needBytes: 7 * GB + 1 })), isUnavailable(/away.*are free/));
  machine.lent = true;
  await assert.rejects(memory.ask(ask({ needBytes: 1 })), isUnavailable(/away.*lent for a training/));
});

test('JARVIS Core goes away while it is waited for: after a while the same', async (t) => {
  const { core, memory, told, ask } = await scene(t);
  core.grants = 'never';
  const asked = memory.ask(ask());
  await until('it to wait', () => told.length > 0);
  await core.stop();
  assert.match((await asked).reason, /is away/);
});
