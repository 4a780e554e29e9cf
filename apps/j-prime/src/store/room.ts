// The requests for room in memory and what came of each: asked twice, answered the same.
import { type MakeRoom, makeRoomSchema } from '@jarvis/contracts';
import { type Database, sql, type Transaction } from '@jarvis/store';
import type { VersionName } from '../models/served-version.ts';

const ROOM_REQUESTS_KEPT = 200;

export interface RoomRecord {
  /** What was asked, to tell a repetition from another request under the same id. */
  readonly asked: string;
  readonly answer: MakeRoom;
  /** What was unloaded for it, and may be loaded again when the room is given back. */
  readonly unloaded: readonly UnloadedVersion[];
  /** Whether the LLM gave its memory for it. */
  readonly llm: boolean;
}

export interface UnloadedVersion extends VersionName {
  /** It is routed, and comes back with the next request for it. */
  readonly parked?: boolean;
}

export async function saveRoom(db: Database, record: RoomRecord): Promise<void> {
  const { asked, answer } = record;
  await db.transaction('prime.room.save', async (tx) => {
    await tx.run(sql`INSERT INTO room (seq, request_id, asked, answer, unloaded, llm)
      VALUES ((SELECT coalesce(max(seq), 0) + 1 FROM room), ${answer.request_id}, ${asked}, ${JSON.stringify(answer)}, ${JSON.stringify(record.unloaded)}, ${record.llm ? 1 : 0})
      ON CONFLICT (request_id) DO UPDATE SET answer = excluded.answer, unloaded = excluded.unloaded, llm = excluded.llm`);
    await forgetOld(tx);
  });
}

export async function roomOf(db: Database, requestId: string): Promise<RoomRecord | undefined> {
  const row = await db.get<RoomRow>(
    sql`SELECT asked, answer, unloaded, llm FROM room WHERE request_id = ${requestId}`,
  );
  return row === undefined ? undefined : recordOf(row);
}

/** The requests whose room was not given back yet. */
export async function openRooms(db: Database): Promise<RoomRecord[]> {
  const rows = await db.all<RoomRow>(
    sql`SELECT asked, answer, unloaded, llm FROM room WHERE restored = 0 ORDER BY seq`,
  );
  return rows.map(recordOf).filter((record) => record.answer.state !== 'refused');
}

/** As `openRooms`, where a record that cannot be read is told of instead of thrown on. */
export async function readOpenRooms(tx: Transaction): Promise<{ open: number; unreadable: string[] }> {
  const rows = await tx.all<RoomRow & { request_id: string }>(
    sql`SELECT request_id, asked, answer, unloaded, llm FROM room WHERE restored = 0 ORDER BY seq`,
  );
  const unreadable: string[] = [];
  let open = 0;
  for (const row of rows) {
    try {
      if (recordOf(row).answer.state !== 'refused') open += 1;
    } catch (error) {
      unreadable.push(`${row.request_id} cannot be read (${(error as Error).name})`);
    }
  }
  return { open, unreadable };
}

export async function closeRooms(db: Database): Promise<void> {
  await db.transaction('prime.room.close', (tx) =>
    tx.run(sql`UPDATE room SET restored = 1 WHERE restored = 0`),
  );
}

interface RoomRow {
  readonly asked: string;
  readonly answer: string;
  readonly unloaded: string;
  readonly llm: number;
}

function recordOf(row: RoomRow): RoomRecord {
  return {
    asked: row.asked,
    answer: makeRoomSchema.parse(JSON.parse(row.answer)),
    unloaded: JSON.parse(row.unloaded) as UnloadedVersion[],
    llm: row.llm === 1,
  };
}

async function forgetOld(tx: Transaction): Promise<void> {
  await tx.run(
    sql`DELETE FROM room WHERE restored = 1 AND seq <= (SELECT max(seq) FROM room) - ${ROOM_REQUESTS_KEPT}`,
  );
}
