// Jobs that live and end while so many others wait: through the coordinator over JARVIS Core's store, and as the same
// commits of a bare engine.
import { BYTES_PER_GB } from '@jarvis/contracts';
import { Coordinator, type ExternalWork, type StoredJob } from '@jarvis/coordinator';
import { createSlotLocks, Queue } from '@jarvis/jarvis-core';
import { createEventLog, type Database, sql } from '@jarvis/store';
import { seededRandom } from '@jarvis/testkit';
import type { BareEngine, Engine } from '../shared/bare-engine.ts';
import { roomyMemory, SCHEDULING, submittedAtMs } from './waiting-jobs.ts';

const HOUR_MS = 3_600_000;

export interface Lives {
  readonly engine: Engine;
  readonly who: 'ours' | 'bare';
  /** The job that has the slot trains and ends, the next one starts, and one more is submitted. */
  live(): Promise<void>;
  close(): Promise<void>;
}

/** Numbers from 0, as a table of both engines. */
const NUMBERS = (count: number): string =>
  `WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < ${count - 1})`;

export async function ourLives(engine: Engine, db: Database, waiting: number): Promise<Lives> {
  const nowMs = Date.now();
  await fill(db, waiting, nowMs);
  let work: ExternalWork | null = null;
  const failures: unknown[] = [];
  const coordinator = new Coordinator({
    store: queueOn(db),
    performer: { perform: (called) => void (work = called) },
    now: () => Date.now(),
    scheduling: SCHEDULING,
    memoryAgeMaxMs: HOUR_MS,
    retries: { resume: true, limit: 3, delayMs: () => 0 },
    onError: (error) => failures.push(error),
  });
  const started = (): StoredJob => {
    const [job] = work?.start ?? [];
    if (failures.length > 0 || job === undefined)
      throw new Error('no job has started', { cause: failures[0] });
    return job;
  };
  coordinator.post({ type: 'runs_observed', runs: [] });
  coordinator.post({ type: 'measured', memory: roomyMemory(nowMs) });
  await coordinator.idle();
  let submitted = 0;
  return {
    engine,
    who: 'ours',
    live: async () => {
      const { jobId, token } = started();
      coordinator.post({ type: 'run_started', jobId, token: token ?? 0 });
      await coordinator.idle();
      const event = { jobId, seq: 1, event: 'completed', data: { model_version: 'v0.1.0' } };
      coordinator.post({ type: 'run_event', event });
      await coordinator.idle();
      const nth = (submitted += 1);
      await coordinator.submit({ ...SUBMISSION, job_id: `bench-${nth}` });
      await coordinator.idle();
      if (started().jobId === jobId) throw new Error(`${jobId} has not ended`);
    },
    close: async () => {
      await coordinator.stop();
      await db.close();
    },
  };
}

const SUBMISSION = {
  model_type: 'nlu',
  config: {},
  auto_deploy: false,
  reason: 'bench',
  source: 'asked',
} as const;

function queueOn(db: Database): Queue {
  return new Queue({
    db,
    events: createEventLog(db),
    random: seededRandom(1),
    hostId: 'bench',
    slots: 1,
    lockTtlMs: HOUR_MS,
    leaseTtlMs: HOUR_MS,
    epochs: 10,
    maxWaitMs: 24 * HOUR_MS,
    breaker: SCHEDULING.breaker,
    defaultNeedBytes: () => BYTES_PER_GB,
  });
}

/** In one statement: to submit so many one after another would take longer than everything that is measured. */
async function fill(db: Database, count: number, nowMs: number): Promise<void> {
  const [from, step] = [submittedAtMs(0, count, nowMs), submittedAtMs(1, count, nowMs)];
  await db.transaction('test.step', async (tx) => {
    await createSlotLocks(tx, 1);
    await tx.run(sql`
      INSERT INTO jobs (job_id, model_type, priority, state, reason, source, epochs, config, auto_deploy, need_ram, need_vram, submitted_at, max_wait)
      WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < ${count - 1})
      SELECT 'waiting-' || n,
        CASE n % 4 WHEN 0 THEN 'voice' WHEN 1 THEN 'nlu' WHEN 2 THEN 'vision' ELSE 'embedding' END,
        CASE n % 4 WHEN 0 THEN 'critical' WHEN 1 THEN 'high' WHEN 2 THEN 'normal' ELSE 'low' END,
        'queued', 'bench', 'asked', 10, '{}', 0, CAST(${BYTES_PER_GB} AS BIGINT), '{}',
        CAST(${from} AS BIGINT) + n * CAST(${step - from} AS BIGINT), CAST(${24 * HOUR_MS} AS BIGINT)
      FROM numbers`);
  });
}

export const BARE_TABLES = `
  CREATE TABLE work (id TEXT PRIMARY KEY, class INTEGER NOT NULL, state TEXT NOT NULL, submitted_at BIGINT NOT NULL, lease TEXT);
  CREATE INDEX work_by_state ON work (state, class, submitted_at);
  CREATE TABLE slot (name TEXT PRIMARY KEY, holder TEXT, token BIGINT NOT NULL);
  CREATE TABLE leases (id TEXT PRIMARY KEY, holder TEXT NOT NULL, state TEXT NOT NULL);
  CREATE TABLE events (seq BIGINT PRIMARY KEY, work TEXT NOT NULL, state TEXT NOT NULL);`;

/** The same seven commits, each with its event, and an index in the place of a scheduler: who is next is looked up. */
export async function bareLives(bare: BareEngine, waiting: number): Promise<Lives> {
  await bare.transact(async (execute) => {
    await execute(`INSERT INTO slot (name, holder, token) VALUES ('training/0', NULL, 0)`);
    await execute(
      `INSERT INTO work (id, class, state, submitted_at) ${NUMBERS(waiting)} SELECT 'waiting-' || n, n % 4, 'queued', n FROM numbers`,
    );
  });
  let submitted = 0;
  let events = 0;
  const move = (id: string, from: string, to: string, lease?: string): Promise<void> =>
    bare.transact(async (execute) => {
      await execute('UPDATE work SET state = ? WHERE id = ? AND state = ?', to, id, from);
      await execute('INSERT INTO events (seq, work, state) VALUES (?, ?, ?)', (events += 1), id, to);
      if (lease !== undefined)
        await execute('UPDATE leases SET state = ? WHERE id = ?', lease, `lease-${id}`);
      if (to === 'completed') await execute(`UPDATE slot SET holder = NULL WHERE holder = ?`, id);
    });
  const take = async (): Promise<string> => {
    let id = '';
    await bare.transact(async (execute) => {
      const first = `SELECT id FROM work WHERE state = 'queued' ORDER BY class, submitted_at LIMIT 1`;
      id = String((await execute(first))[0]?.['id']);
      await execute(`UPDATE slot SET holder = ?, token = token + 1 WHERE name = 'training/0'`, id);
      await execute(
        'INSERT INTO leases (id, holder, state) VALUES (?, ?, ?)',
        `lease-${id}`,
        id,
        'requested',
      );
      await execute('UPDATE work SET state = ?, lease = ? WHERE id = ?', 'waiting', `lease-${id}`, id);
      await execute('INSERT INTO events (seq, work, state) VALUES (?, ?, ?)', (events += 1), id, 'waiting');
    });
    return id;
  };
  const submit = (): Promise<void> =>
    bare.transact(async (execute) => {
      const id = `bench-${(submitted += 1)}`;
      await execute(
        'INSERT INTO work (id, class, state, submitted_at) VALUES (?, 1, ?, ?)',
        id,
        'queued',
        Date.now(),
      );
      await execute('INSERT INTO events (seq, work, state) VALUES (?, ?, ?)', (events += 1), id, 'queued');
    });
  return {
    engine: bare.engine,
    who: 'bare',
    live: async () => {
      const id = await take();
      await bare.transact((execute) =>
        execute(`UPDATE leases SET state = 'granted' WHERE id = ?`, `lease-${id}`).then(() => undefined),
      );
      await move(id, 'waiting', 'starting');
      await move(id, 'starting', 'training');
      await move(id, 'training', 'completed', 'released');
      await bare.transact((execute) =>
        execute('UPDATE work SET lease = NULL WHERE id = ?', id).then(() => undefined),
      );
      await submit();
    },
    close: () => bare.close(),
  };
}
