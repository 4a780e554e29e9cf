// What the LLM server was last measured to hold: what is asked for before it is loaded again.
import { type Database, sql } from '@jarvis/store';

/** One LLM server at a time: of another one nothing is known. */
export async function saveMeasured(db: Database, engine: string, bytes: number): Promise<void> {
  await db.transaction('prime.llm.measured', (tx) =>
    tx.run(sql`INSERT INTO llm_memory (only_row, engine, bytes) VALUES (1, ${engine}, ${Math.ceil(bytes)})
      ON CONFLICT (only_row) DO UPDATE SET engine = excluded.engine, bytes = excluded.bytes`),
  );
}

export async function lastMeasured(db: Database, engine: string): Promise<number | null> {
  const row = await db.get<{ bytes: number | string }>(
    sql`SELECT bytes FROM llm_memory WHERE engine = ${engine}`,
  );
  return row === undefined ? null : Number(row.bytes);
}
