// `GET /metrics` of JARVIS Core: every metric of the catalogue that belongs to it, with what really happened.
import assert from 'node:assert/strict';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { sampleOf, until } from '@jarvis/testkit';
import { type Client, commands } from './client.ts';
import { makeWorld, startCore } from './world.ts';

async function scrape(core: Client): Promise<string> {
  const response = await fetch(`${core.url}/metrics`);
  assert.equal(response.status, 200);
  return response.text();
}

test('experiences, jobs, slots, leases, memory, calls and transactions are told as they are', async (t) => {
  const world = await makeWorld(t);
  const core = await startCore(world);
  await core.store(commands(7));
  const { job_id } = await core.submit();
  await core.reaches(job_id, 'training');
  const text = await until('memory to be measured', async () => {
    const now = await scrape(core);
    return sampleOf(now, 'jarvis_memory_budget_bytes') === null ? null : now;
  });
  const told = (series: string): number => {
    const value = sampleOf(text, series);
    assert.ok(value !== null, `${series} is not in\n${text}`);
    return value;
  };
  assert.equal(told('jarvis_experiences_total{kind="nlu",source="api"}'), 7);
  assert.equal(told('jarvis_jobs{kind="nlu",state="training"}'), 1);
  assert.equal(told('jarvis_job_queue_wait_seconds_count{kind="nlu"}'), 1);
  assert.equal(told('jarvis_training_slots{state="held"}'), 1);
  assert.equal(told('jarvis_leases{state="granted"}'), 1);
  const left = told('jarvis_memory_budget_bytes') - told('jarvis_memory_safety_bytes');
  assert.ok(told('jarvis_memory_reserved_bytes') > 0);
  assert.ok(told('jarvis_memory_available_bytes') <= left - told('jarvis_memory_reserved_bytes'));
  assert.ok(told('jarvis_memory_measured_bytes{owner="jarvis-core"}') > 0);
  assert.ok(told('jarvis_memory_measured_bytes{owner="others"}') > 0);
  assert.equal(told('jarvis_peer_reachable{peer="reactor-core"}'), 1);
  assert.equal(told('jarvis_peer_breaker_state{peer="j-prime",state="closed"}'), 1);
  assert.ok(told('jarvis_peer_calls_total{peer="j-prime",outcome="answered"}') > 0);
  assert.ok(told('jarvis_store_transactions_total{step="core.job.submit",outcome="committed"}') >= 1);
  assert.equal(told('jarvis_outbox_pending'), 0);
  assert.equal(told('jarvis_metrics_readers_failed'), 0);
  assert.ok(!text.includes(job_id), 'no label holds an id');
});

test('a job that waits, a peer that is away, and the files of the drop folder', async (t) => {
  const world = await makeWorld(t);
  await world.reactor.stop();
  const core = await startCore(world);
  await core.store(commands(2));
  await core.submit();
  await mkdir(join(world.folder, 'events'), { recursive: true });
  const drop = async (name: string, content: unknown): Promise<void> => {
    const path = join(world.folder, 'events', name);
    await writeFile(`${path}.new`, JSON.stringify(content));
    await rename(`${path}.new`, path);
  };
  await drop('experiences_nlu_1.json', { batch_id: 'b', model_type: 'nlu', experiences: commands(3) });
  await drop('experiences_nlu_2.json', { batch_id: 'c', model_type: 'voice', experiences: commands(3) });
  const files = (text: string, outcome: string): number | null =>
    sampleOf(text, `jarvis_drop_files_total{outcome="${outcome}"}`);
  const text = await until('both files', async () => {
    const now = await scrape(core);
    return files(now, 'taken') === 1 && files(now, 'rejected') === 1 ? now : null;
  });
  assert.ok((sampleOf(text, 'jarvis_job_oldest_wait_seconds{kind="nlu"}') ?? 0) > 0);
  assert.equal(sampleOf(text, 'jarvis_peer_reachable{peer="reactor-core"}'), 0);
  assert.ok((sampleOf(text, 'jarvis_peer_consecutive_failures{peer="reactor-core"}') ?? 0) > 0);
  assert.equal(sampleOf(text, 'jarvis_experiences_total{kind="nlu",source="drop_folder"}'), 3);
});
