// What a person said with `jarvis pause`: at most one row.
import type { Pause } from '@jarvis/policy';
import { type Database, sql } from '@jarvis/store';

export async function readPause(db: Database): Promise<Pause | null> {
  const row = await db.get<{ reason: string; until_at: number | string | null }>(
    sql`SELECT reason, until_at FROM pause WHERE id = 1`,
  );
  if (row === undefined) return null;
  return { reason: row.reason, untilMs: row.until_at === null ? null : Number(row.until_at) };
}

export async function writePause(db: Database, pause: Pause | null): Promise<void> {
  await db.transaction('core.training.pause', async (tx) => {
    await tx.run(sql`DELETE FROM pause`);
    if (pause === null) return;
    const until = pause.untilMs === null ? null : Math.round(pause.untilMs);
    await tx.run(sql`INSERT INTO pause (id, reason, until_at) VALUES (1, ${pause.reason}, ${until})`);
  });
}
