// A start with a token: what is answered, and that the same request starts nothing twice.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { makeWorld } from './harness.ts';

const START = '/api/training/start';

test('a start answers with the fields of the contract, and the job trains to its end', async (t) => {
  const world = await makeWorld(t);
  const reactor = await world.start();
  const { status, body } = await reactor.call('POST', START, world.body({}));
  assert.equal(status, 200);
  assert.deepEqual(Object.keys(body as object).sort(), [
    'attempt',
    'estimated_duration_seconds',
    'job_id',
    'message',
    'status',
  ]);
  const { job_id, status: said, message, estimated_duration_seconds } = body as Record<string, unknown>;
  assert.deepEqual([job_id, said], ['job-1', 'started']);
  assert.match(String(message), /nlu trains on 4 rows for 3 epochs/);
  assert.ok(Number(estimated_duration_seconds) > 0);
  const events = await reactor.eventsToEnd('job-1');
  assert.equal(events.at(-1)?.name, 'completed');
});

test('the same request again, also while it runs and after its end, gets the same answer', async (t) => {
  const world = await makeWorld(t);
  const reactor = await world.start();
  const body = world.body({ mode: 'held' });
  const first = await reactor.start(body);
  assert.deepEqual(await reactor.start(body), first);
  assert.deepEqual(await reactor.start({ ...body, fencing_token: 1, lease_id: 'another' }), first);
  await world.release('job-1');
  await reactor.eventsToEnd('job-1');
  assert.deepEqual(await reactor.start(body), first);
  assert.deepEqual(
    await reactor.start({ ...body, fencing_token: 9 }),
    first,
    'ended is ended, whatever the token',
  );
  assert.deepEqual(await world.starts('job-1'), ['1']);
});

test('requests for the same job at the same moment start one trainer', async (t) => {
  const world = await makeWorld(t);
  const reactor = await world.start();
  const answers = await Promise.all(
    Array.from({ length: 5 }, () => reactor.start(world.body({ mode: 'held' }))),
  );
  for (const answer of answers) assert.deepEqual(answer, answers[0]);
  assert.equal((await reactor.runs()).length, 1);
  await world.release('job-1');
  await reactor.eventsToEnd('job-1');
  assert.deepEqual(await world.starts('job-1'), ['1']);
});

test('another body under a known job_id is a conflict', async (t) => {
  const world = await makeWorld(t);
  const reactor = await world.start();
  await reactor.start(world.body({ mode: 'held' }));
  await reactor.problem('job_conflict', ['POST', START, world.body({ mode: 'held', epochs: 4 })]);
  const later = { ...world.body({ mode: 'held', epochs: 4 }), fencing_token: 2 };
  await reactor.problem('job_conflict', ['POST', START, later]);
  assert.equal((await reactor.runs('?live=true')).length, 1);
});

test('a token that is not above the highest seen is stale', async (t) => {
  const world = await makeWorld(t);
  const reactor = await world.start();
  await reactor.start(world.body({ fencing_token: 5 }));
  await reactor.eventsToEnd('job-1');
  for (const fencing_token of [5, 4]) {
    const body = world.body({ job_id: 'job-2', fencing_token });
    const { detail } = await reactor.problem('stale_token', ['POST', START, body]);
    assert.match(detail, new RegExp(`token ${fencing_token} of slot 0 is not above 5`));
  }
  assert.equal(existsSync(world.file('runs', 'job-2')), false);
  assert.equal((await reactor.start(world.body({ job_id: 'job-2', fencing_token: 6 }))).attempt, 1);
});

test('a stale token stays stale after a restart', async (t) => {
  const world = await makeWorld(t);
  const before = await world.start();
  await before.start(world.body({ fencing_token: 5 }));
  await before.eventsToEnd('job-1');
  await before.stop();
  const reactor = await world.start();
  await reactor.problem('stale_token', ['POST', START, world.body({ job_id: 'job-2', fencing_token: 5 })]);
});

test('a busy slot is said with the job that has it and when to come back', async (t) => {
  const world = await makeWorld(t, { env: { TRAINER_STOP_GRACE: '0.2' } });
  const reactor = await world.start();
  await reactor.start(world.body({ mode: 'deaf' }));
  const answer = await reactor.call('POST', START, world.body({ job_id: 'job-2', fencing_token: 2 }));
  assert.equal(answer.status, 503);
  assert.ok(Number(answer.headers.get('retry-after')) >= 1);
  const { code, error, active_job_id, retry_after_seconds } = answer.body as Record<string, unknown>;
  assert.deepEqual([code, active_job_id], ['slot_busy', 'job-1']);
  assert.match(String(error), /no training slot is free \(job-1 trains\)/);
  assert.equal(String(retry_after_seconds), answer.headers.get('retry-after'));
  assert.equal(existsSync(world.file('runs', 'job-2')), false);
});

test('a newer token for a slot makes the old trainer give way; the one after it is taken', async (t) => {
  const world = await makeWorld(t);
  const reactor = await world.start();
  await reactor.start(world.body({ mode: 'held:2' }));
  await reactor.eventsUntil('job-1', (e) => e.name === 'checkpoint');
  const next = world.body({ job_id: 'job-2', fencing_token: 2 });
  await reactor.problem('slot_busy', ['POST', START, next]);
  await reactor.eventsUntil('job-1', (e) => e.name === 'preempted');
  assert.equal((await reactor.start({ ...next, fencing_token: 3 })).attempt, 1);
  assert.equal((await reactor.eventsToEnd('job-2')).at(-1)?.name, 'completed');
});

test('a token that was refused is refused for ever, also after a restart; a higher one is taken', async (t) => {
  const world = await makeWorld(t);
  const before = await world.start();
  await before.start(world.body({ mode: 'held' }));
  const late = world.body({ job_id: 'job-2', fencing_token: 2 });
  await before.problem('slot_busy', ['POST', START, late]);
  await before.eventsUntil('job-1', (e) => e.name === 'preempted');
  const { detail } = await before.problem('stale_token', ['POST', START, late]);
  assert.match(detail, /token 2 of slot 0 is not above 2/);
  await before.stop();
  const reactor = await world.start();
  await reactor.problem('stale_token', ['POST', START, late]);
  assert.deepEqual(await world.starts('job-2'), []);
  assert.equal((await reactor.start({ ...late, fencing_token: 3 })).attempt, 1);
});

test('a refused token of a known job is no request that was answered before, whatever its slot', async (t) => {
  const world = await makeWorld(t, {
    env: { MAX_CONCURRENT_TRAINING_JOBS: '2', TRAINER_STOP_GRACE: '0.2' },
  });
  const reactor = await world.start();
  const body = world.body({ mode: 'dying-once' });
  await reactor.start({ ...body, fencing_token: 9, slot: 1 });
  await reactor.eventsUntil('job-1', (e) => e.data['status'] === 'lost');
  await reactor.start(world.body({ job_id: 'job-2', mode: 'deaf', fencing_token: 1 }));
  await reactor.problem('slot_busy', ['POST', START, { ...body, fencing_token: 2 }]);
  await reactor.problem('stale_token', ['POST', START, { ...body, fencing_token: 2 }]);
  assert.equal((await reactor.start({ ...body, fencing_token: 10, slot: 1 })).attempt, 2);
});

test('what is refused for good has spent its token too, but not what may be asked again', async (t) => {
  const world = await makeWorld(t);
  const reactor = await world.start();
  const empty = world.body({ experiences: [{ type: 'command', input: { text: 'unanswered' } }] });
  await reactor.problem('dataset_empty', ['POST', START, empty]);
  await reactor.problem('stale_token', ['POST', START, world.body({})]);
  const dataset = { url: `${world.core.url}/nothing`, sha256: 'a'.repeat(64), rows: 1 };
  const unreachable = { ...world.body({ fencing_token: 2 }), experiences: undefined, dataset };
  await reactor.problem('service_unavailable', ['POST', START, unreachable]);
  assert.equal((await reactor.start(world.body({ fencing_token: 2 }))).attempt, 1);
});

test('two slots train two jobs, each with tokens of its own', async (t) => {
  const world = await makeWorld(t, { env: { MAX_CONCURRENT_TRAINING_JOBS: '2' } });
  const reactor = await world.start();
  await reactor.start(world.body({ mode: 'held', fencing_token: 7 }));
  await reactor.start(world.body({ mode: 'held', job_id: 'job-2', slot: 1, fencing_token: 3 }));
  assert.deepEqual((await reactor.runs('?live=true')).map((r) => `${r.job_id} ${r.slot} ${r.token}`).sort(), [
    'job-1 0 7',
    'job-2 1 3',
  ]);
  const body = world.body({ job_id: 'job-3', slot: 2 });
  const { issues } = await reactor.problem('invalid_request', ['POST', START, body]);
  assert.equal(issues?.[0]?.path, 'body.slot');
});
