// The store of Reactor Core on both engines, for the tests of what it promises.
import { test } from 'node:test';
import type { Database, Transaction } from '@jarvis/store';
import { storeEngines } from '@jarvis/testkit';
import type { NewJob } from '../src/store/jobs.ts';
import { MIGRATIONS } from '../src/store/migrations.ts';
import type { NewRun } from '../src/store/runs.ts';

export const AT = '2026-11-24T10:00:00.000Z';
export const LATER = '2026-11-24T11:00:00.000Z';

const engines = await storeEngines();

/** A test on each engine, in a database of its own. */
export function conform(what: string, body: (db: Database) => Promise<void>): void {
  for (const engine of engines)
    test(`${engine.name}: ${what}`, { skip: engine.skip }, async (t) =>
      body(await engine.open(t, MIGRATIONS)),
    );
}

export function write<T>(db: Database, work: (tx: Transaction) => Promise<T>): Promise<T> {
  return db.transaction('test.write', work);
}

export function newJob(change: Partial<NewJob> = {}): NewJob {
  return {
    job_id: 'job-1',
    model_type: 'nlu',
    body_sha256: 'b'.repeat(64),
    owner: 'jarvis-core',
    epochs: 10,
    config: '{}',
    checkpoint_enabled: 1,
    checkpoint_interval: 2,
    auto_deploy: 0,
    parent_version: null,
    seed: 2 ** 32 - 1,
    dataset_sha256: 'd'.repeat(64),
    dataset_rows: 7,
    estimated_seconds: 1.5,
    created_at: AT,
    ...change,
  };
}

export function newRun(change: Partial<NewRun> = {}): NewRun {
  return {
    job_id: 'job-1',
    attempt: 1,
    token: 5,
    trainer_token: 5,
    slot: 0,
    lease_id: null,
    need: null,
    last_attempt: 0,
    borrowed: 0,
    created_at: AT,
    ...change,
  };
}
