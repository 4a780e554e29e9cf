// Events, one gapless numbered sequence a stream, appended in the transaction that they tell of and followed live.
//
//   append(tx) -> counter row + event row -> commit -> wake followers -> they read rows after what they have seen
import { setMaxListeners } from 'node:events';
import type { Database, Migration, Transaction } from './database.ts';
import { sql } from './database.ts';

const READ_PAGE_ROWS = 500;
const FOLLOWERS_PER_STREAM_WARN = 10_000;

export interface StoredEvent {
  readonly seq: number;
  readonly type: string;
  readonly data: unknown;
  readonly at: string;
}

export interface NewEvent {
  readonly stream: string;
  readonly type: string;
  readonly data: unknown;
  readonly at: string;
}

export interface FollowOptions {
  readonly stream: string;
  /** The last sequence number that the reader has; 0 for none. */
  readonly after: number;
  readonly signal: AbortSignal;
  /** The stream ends behind an event for which this holds. */
  readonly isLast?: (event: StoredEvent) => boolean;
}

export interface EventLog {
  append(tx: Transaction, event: NewEvent): Promise<number>;
  read(stream: string, after: number, limit?: number): Promise<StoredEvent[]>;
  lastSeq(stream: string): Promise<number>;
  follow(options: FollowOptions): AsyncGenerator<StoredEvent, void>;
}

/** The tables of an event log; put it among the migrations of a service. */
export function eventLogMigration(id: number): Migration {
  return {
    id,
    name: 'event log',
    sql: `
      CREATE TABLE event_counters (stream TEXT PRIMARY KEY, seq BIGINT NOT NULL);
      CREATE TABLE events (
        stream TEXT NOT NULL, seq BIGINT NOT NULL, type TEXT NOT NULL, data TEXT NOT NULL, at TEXT NOT NULL,
        PRIMARY KEY (stream, seq)
      );`,
  };
}

export function createEventLog(db: Database): EventLog {
  const wakers = new Map<string, Set<() => void>>();
  // A commit whose answer was lost has woken nobody.
  db.onReconnected(() => wakers.forEach((waiting) => waiting.forEach((wake) => wake())));

  async function append(tx: Transaction, event: NewEvent): Promise<number> {
    const row = await tx.get<{ seq: number | string }>(sql`
      INSERT INTO event_counters (stream, seq) VALUES (${event.stream}, 1)
      ON CONFLICT (stream) DO UPDATE SET seq = event_counters.seq + 1 RETURNING seq`);
    const seq = Number(row?.seq);
    await tx.run(sql`INSERT INTO events (stream, seq, type, data, at)
      VALUES (${event.stream}, ${seq}, ${event.type}, ${JSON.stringify(event.data)}, ${event.at})`);
    tx.afterCommit(() => wakers.get(event.stream)?.forEach((wake) => wake()));
    return seq;
  }

  async function read(stream: string, after: number, limit = READ_PAGE_ROWS): Promise<StoredEvent[]> {
    const rows = await db.all<{ seq: number | string; type: string; data: string; at: string }>(sql`
      SELECT seq, type, data, at FROM events WHERE stream = ${stream} AND seq > ${after} ORDER BY seq LIMIT ${limit}`);
    return rows.map((r) => ({
      seq: Number(r.seq),
      type: r.type,
      data: JSON.parse(r.data) as unknown,
      at: r.at,
    }));
  }

  async function lastSeq(stream: string): Promise<number> {
    const row = await db.get<{ seq: number | string }>(
      sql`SELECT seq FROM event_counters WHERE stream = ${stream}`,
    );
    return Number(row?.seq ?? 0);
  }

  /** A reader that comes back after it has seen the last event: nothing more will come. */
  async function isBehindLast({ stream, after, isLast }: FollowOptions): Promise<boolean> {
    const last = await lastSeq(stream);
    if (isLast === undefined || last === 0 || after < last) return false;
    const [event] = await read(stream, last - 1, 1);
    return event !== undefined && isLast(event);
  }

  async function* follow(options: FollowOptions): AsyncGenerator<StoredEvent, void> {
    const { stream, signal } = options;
    setMaxListeners(FOLLOWERS_PER_STREAM_WARN, signal);
    if (await isBehindLast(options)) return;
    let after = options.after;
    let pending = true;
    let wakeUp = (): void => undefined;
    const wake = (): void => {
      pending = true;
      wakeUp();
    };
    const waiting = wakers.get(stream) ?? new Set();
    wakers.set(stream, waiting.add(wake));
    signal.addEventListener('abort', wake, { once: true });
    try {
      while (!signal.aborted) {
        pending = false;
        for (const event of await read(stream, after)) {
          after = event.seq;
          pending = true;
          yield event;
          if (signal.aborted || options.isLast?.(event) === true) return;
        }
        if (!pending && !signal.aborted) await new Promise<void>((resolve) => (wakeUp = resolve));
      }
    } finally {
      waiting.delete(wake);
      if (waiting.size === 0 && wakers.get(stream) === waiting) wakers.delete(stream);
      signal.removeEventListener('abort', wake);
    }
  }

  return { append, read, lastSeq, follow };
}
