// What the end of a run tells about the memory that its model type needs, and which ends tell nothing.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BYTES_PER_GB } from '@jarvis/contracts';
import type { RunEvent, StoredJob } from '../src/ports.ts';
import { takenMemory } from '../src/taken-memory.ts';

const GB = BYTES_PER_GB;
const job = {
  jobId: 'job-1',
  modelType: 'vision',
  attempt: 2,
  need: { ram_bytes: 3 * GB, vram_bytes: {} },
} as StoredJob;

function told(event: RunEvent['event'], data: Record<string, unknown> = {}): ReturnType<typeof takenMemory> {
  return takenMemory(job, { jobId: 'job-1', seq: 1, event, data });
}

test('a run that completed tells its peak, under the number that Reactor Core gave the attempt', () => {
  const ended = { jobId: 'job-1', attempt: 5, peakBytes: 2 * GB, outcome: 'ended', failure: null };
  assert.deepEqual(told('completed', { peak_ram_bytes: 2 * GB, attempt: 5 }), ended);
  assert.deepEqual(told('completed', { peak_ram_bytes: 2 * GB }), { ...ended, attempt: 2 });
  assert.deepEqual(told('completed', { peak_ram_bytes: 2 * GB, attempt: 'x' }), { ...ended, attempt: 2 });
});

test('one whose peak nobody measured tells nothing', () => {
  assert.equal(told('completed'), null);
  assert.equal(told('completed', { peak_ram_bytes: 'much' }), null);
});

test('one that was stopped near its limit ran out, and failed nobody', () => {
  const ranOut = { jobId: 'job-1', attempt: 2, outcome: 'out_of_memory', failure: null };
  const data = { cause: 'memory_pressure', peak_ram_bytes: 2.9 * GB };
  assert.deepEqual(told('preempted', data), { ...ranOut, peakBytes: 2.9 * GB });
  assert.deepEqual(told('preempted', { cause: 'memory_pressure' }), { ...ranOut, peakBytes: null });
});

test('one that the kernel killed ran out, and says of what', () => {
  assert.deepEqual(told('status', { status: 'lost', cause: 'out_of_memory' }), {
    jobId: 'job-1',
    attempt: 2,
    peakBytes: null,
    outcome: 'out_of_memory',
    failure: 'vision ran out of memory under 3.00 GB',
  });
});

test('whatever else happens to a run says nothing about its memory', () => {
  const peak_ram_bytes = GB;
  assert.equal(told('preempted', { cause: 'asked', peak_ram_bytes }), null);
  assert.equal(told('preempted', { peak_ram_bytes }), null);
  assert.equal(told('status', { status: 'lost', cause: 'killed', peak_ram_bytes }), null);
  assert.equal(told('status', { status: 'lost', peak_ram_bytes }), null);
  assert.equal(told('status', { status: 'running', cause: 'out_of_memory', peak_ram_bytes }), null);
  assert.equal(told('failed', { status: 'lost', cause: 'out_of_memory', peak_ram_bytes }), null);
  assert.equal(told('failed', { cause: 'memory_pressure', peak_ram_bytes }), null);
  assert.equal(told('cancelled', { peak_ram_bytes }), null);
});
