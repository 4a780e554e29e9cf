// What is measured: the same statements in the same transactions, through our store and through the bare engine.
import { DatabaseSync } from 'node:sqlite';
import { type Database, type Migration, sql } from '@jarvis/store';
import { Client, type QueryResult } from 'pg';

export const TABLES: readonly Migration[] = [
  {
    id: 1,
    name: 'bench',
    sql: `
      CREATE TABLE work (id BIGINT PRIMARY KEY, state TEXT NOT NULL, body TEXT NOT NULL);
      CREATE INDEX work_by_state ON work (state, id);
      CREATE TABLE rows (id BIGINT PRIMARY KEY, body TEXT NOT NULL);`,
  },
];
const BODY = JSON.stringify({
  type: 'command',
  input: 'turn the light in the kitchen on',
  expected_output: 'light_on',
});

export interface Contender {
  readonly engine: 'SQLite' | 'Postgres';
  readonly who: 'ours' | 'bare';
  /** Stores a row in a table of its own: `count` of them in one transaction. */
  insert(count: number): Promise<void>;
  /** Fills the queue. */
  enqueue(count: number): Promise<void>;
  /** Takes the oldest from the queue in one transaction, and completes it in another. */
  claimAndComplete(): Promise<void>;
  close(): Promise<void>;
}

export function ours(engine: Contender['engine'], db: Database): Contender {
  let rows = 0;
  let jobs = 0;
  return {
    engine,
    who: 'ours',
    insert: (count) =>
      db.transaction('test.step', async (tx) => {
        for (let i = 0; i < count; i++)
          await tx.run(sql`INSERT INTO rows (id, body) VALUES (${rows++}, ${BODY})`);
      }),
    enqueue: (count) =>
      db.transaction('test.step', async (tx) => {
        for (let i = 0; i < count; i++)
          await tx.run(sql`INSERT INTO work (id, state, body) VALUES (${jobs++}, 'queued', ${BODY})`);
      }),
    claimAndComplete: async () => {
      const id = await db.transaction('test.step', async (tx) => {
        const job = await tx.get<{ id: number }>(
          sql`SELECT id FROM work WHERE state = 'queued' ORDER BY id LIMIT 1`,
        );
        if (job === undefined) throw new Error('the queue ran dry');
        await tx.run(sql`UPDATE work SET state = 'running' WHERE id = ${job.id} AND state = 'queued'`);
        return job.id;
      });
      await db.transaction('test.step', (tx) =>
        tx.run(sql`UPDATE work SET state = 'completed' WHERE id = ${id} AND state = 'running'`),
      );
    },
    close: () => db.close(),
  };
}

export function bareSqlite(path: string): Contender {
  const db = new DatabaseSync(path);
  db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
  for (const { sql: text } of TABLES) db.exec(text);
  const insert = db.prepare('INSERT INTO rows (id, body) VALUES (?, ?)');
  const enqueue = db.prepare("INSERT INTO work (id, state, body) VALUES (?, 'queued', ?)");
  const oldest = db.prepare("SELECT id FROM work WHERE state = 'queued' ORDER BY id LIMIT 1");
  const claim = db.prepare("UPDATE work SET state = 'running' WHERE id = ? AND state = 'queued'");
  const complete = db.prepare("UPDATE work SET state = 'completed' WHERE id = ? AND state = 'running'");
  let rows = 0;
  let jobs = 0;
  const transact = (work: () => void): void => {
    db.exec('BEGIN IMMEDIATE');
    work();
    db.exec('COMMIT');
  };
  return {
    engine: 'SQLite',
    who: 'bare',
    insert: async (count) =>
      transact(() => {
        for (let i = 0; i < count; i++) insert.run(rows++, BODY);
      }),
    enqueue: async (count) =>
      transact(() => {
        for (let i = 0; i < count; i++) enqueue.run(jobs++, BODY);
      }),
    claimAndComplete: async () => {
      let id = 0;
      transact(() => {
        id = (oldest.get() as { id: number }).id;
        claim.run(id);
      });
      transact(() => complete.run(id));
    },
    close: async () => db.close(),
  };
}

export async function barePostgres(url: string): Promise<Contender> {
  const client = new Client({ connectionString: url });
  await client.connect();
  for (const { sql: text } of TABLES) await client.query(text);
  let rows = 0;
  let jobs = 0;
  const run = (name: string, text: string, values: unknown[]): Promise<QueryResult> =>
    client.query({ name, text, values });
  const transact = async (work: () => Promise<void>): Promise<void> => {
    await client.query('BEGIN');
    await work();
    await client.query('COMMIT');
  };
  return {
    engine: 'Postgres',
    who: 'bare',
    insert: (count) =>
      transact(async () => {
        for (let i = 0; i < count; i++)
          await run('insert', 'INSERT INTO rows (id, body) VALUES ($1, $2)', [rows++, BODY]);
      }),
    enqueue: (count) =>
      transact(async () => {
        for (let i = 0; i < count; i++)
          await run('enqueue', "INSERT INTO work (id, state, body) VALUES ($1, 'queued', $2)", [
            jobs++,
            BODY,
          ]);
      }),
    claimAndComplete: async () => {
      let id: unknown;
      await transact(async () => {
        const oldest = "SELECT id FROM work WHERE state = 'queued' ORDER BY id LIMIT 1";
        id = ((await run('oldest', oldest, [])).rows[0] as { id: string }).id;
        await run('claim', "UPDATE work SET state = 'running' WHERE id = $1 AND state = 'queued'", [id]);
      });
      await transact(async () => {
        await run('complete', "UPDATE work SET state = 'completed' WHERE id = $1 AND state = 'running'", [
          id,
        ]);
      });
    },
    close: () => client.end(),
  };
}
