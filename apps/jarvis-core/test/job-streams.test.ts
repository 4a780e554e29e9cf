// A job's stream: gapless ids, resumed by Last-Event-ID also across a restart, ended behind the terminal event.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ReceivedEvent, readSse } from '@jarvis/runtime';
import { until } from '@jarvis/testkit';
import { commands } from './client.ts';
import { makeWorld, spawnCore, startCore } from './world.ts';

const states = (events: readonly ReceivedEvent[]): string[] =>
  events.filter((e) => e.event === 'state').map((e) => (e.data as { state: string }).state);
const ids = (events: readonly ReceivedEvent[]): number[] => events.map((e) => Number(e.id));
const upTo = (n: number, from = 1): number[] => Array.from({ length: n - from + 1 }, (_, i) => from + i);

test('a reader from the start sees each event once, in order, live, and the stream ends with the job', async (t) => {
  const world = await makeWorld(t);
  const core = await startCore(world);
  await core.store(commands(3));
  const { job_id } = await core.submit();
  const live = core.stream(`/api/jobs/${job_id}/stream`);
  await core.reaches(job_id, 'training');
  for (let epoch = 1; epoch <= 5; epoch += 1) world.reactor.progress(job_id, epoch);
  world.reactor.complete(job_id);
  const events = await live;
  assert.deepEqual(ids(events), upTo(events.length));
  assert.deepEqual(states(events), ['queued', 'waiting_for_memory', 'starting', 'training', 'completed']);
  const epochs = events.filter((e) => e.event === 'progress').map((e) => (e.data as { epoch: number }).epoch);
  assert.deepEqual(epochs, [1, 2, 3, 4, 5]);
  assert.deepEqual(await core.stream(`/api/jobs/${job_id}/stream`), events, 'read later, it says the same');
});

test('Last-Event-ID: what comes behind it and nothing twice; behind the last event, the stream ends at once', async (t) => {
  const world = await makeWorld(t);
  const core = await startCore(world);
  await core.store(commands(3));
  const { job_id } = await core.submit();
  await core.reaches(job_id, 'training');
  world.reactor.complete(job_id);
  await core.reaches(job_id, 'completed');
  const path = `/api/jobs/${job_id}/stream`;
  const all = await core.stream(path);
  for (let after = 0; after <= all.length; after += 1)
    assert.deepEqual(await core.stream(path, String(after)), all.slice(after));
  for (const id of ['-1', 'x', '1.5'])
    await core.refused('invalid_request', 'GET', path, undefined, { 'last-event-id': id });
});

test('a reader that comes back after kill -9 goes on where it was, and so does JARVIS Core with its run', async (t) => {
  const world = await makeWorld(t);
  const core = await spawnCore(world);
  await core.store(commands(3));
  const { job_id } = await core.submit();
  await core.reaches(job_id, 'training');
  world.reactor.progress(job_id, 1);
  await until('the progress to be stored', async () => (await core.job(job_id)).epoch === 1);
  const seen = await readUntil(core.url, job_id, 5);
  await core.kill();
  world.reactor.progress(job_id, 2);
  const again = await startCore(world);
  await until('the progress that was made meanwhile', async () => (await again.job(job_id)).epoch === 2);
  world.reactor.complete(job_id);
  const rest = await again.stream(`/api/jobs/${job_id}/stream`, String(seen));
  assert.deepEqual(ids(rest), upTo(seen + rest.length, seen + 1));
  const all = await again.stream(`/api/jobs/${job_id}/stream`);
  const epochs = all.filter((e) => e.event === 'progress').map((e) => (e.data as { epoch: number }).epoch);
  assert.deepEqual(epochs, [1, 2], 'what was taken in before is not taken in again');
  assert.equal(states(all).filter((s) => s === 'completed').length, 1);
  assert.equal(world.reactor.starts.length, 1, 'nothing was started twice');
});

/** Reads until an event with this id has come, and goes away; answers the id. */
async function readUntil(url: string, jobId: string, id: number): Promise<number> {
  const gone = new AbortController();
  const options = { url: `${url}/api/jobs/${jobId}/stream`, lastEventId: null, token: null };
  for await (const event of readSse({ ...options, signal: gone.signal }))
    if (Number(event.id) === id) gone.abort();
  return id;
}

test('an attempt that is preempted does not end the stream: the next one goes on in it, with a higher token', async (t) => {
  const world = await makeWorld(t);
  const core = await startCore(world);
  await core.store(commands(3));
  const { job_id } = await core.submit();
  const live = core.stream(`/api/jobs/${job_id}/stream`);
  await core.reaches(job_id, 'training');
  world.reactor.tell(job_id, 'preempted', { status: 'preempted', epoch: 4, attempt: 1, token: 1 });
  await until('the second start', () => world.reactor.starts.length === 2);
  await core.reaches(job_id, 'training');
  world.reactor.complete(job_id);
  const events = await live;
  assert.deepEqual(ids(events), upTo(events.length));
  assert.equal(states(events).filter((s) => s === 'training').length, 2);
  const [first, second] = world.reactor.starts;
  assert.ok((second?.fencing_token ?? 0) > (first?.fencing_token ?? 0));
  assert.deepEqual(second?.dataset, first?.dataset, 'the data is frozen once');
});

test('stopping JARVIS Core ends the streams of its readers', async (t) => {
  const world = await makeWorld(t);
  await world.reactor.stop();
  const core = await startCore(world);
  await core.store(commands(3));
  const { job_id } = await core.submit();
  const reading = core.stream(`/api/jobs/${job_id}/stream`).catch((error: unknown) => error);
  await core.stop();
  await reading;
});
