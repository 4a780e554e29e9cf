// A program that takes a lock over HTTP and writes a shelf under it, one step for each message of the test.
import { DatabaseSync } from 'node:sqlite';
import { createServiceClient, type HeldLock, holdLock, systemClock, systemRandom } from '@jarvis/runtime';
import type { Answer, Order, ShelfPlace } from '../locker.ts';

const [url = '', holder = ''] = process.argv.slice(2);
const LOCK = 'shelf';
const WORK_MS = 5;
/** JARVIS Core is killed and started again meanwhile. */
const AWAY_MS = 60_000;

const client = createServiceClient({
  name: 'JARVIS Core',
  baseUrl: url,
  timeoutMs: 5_000,
  retries: 0,
  retryDelayMs: 0,
  token: null,
  clock: systemClock,
});
const shelves = new Map<string, DatabaseSync>();
let lock: HeldLock | null = null;
let members: string[] = [];

/** The same clock for all processes of the machine. */
function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

async function take(ttlMs: number): Promise<{ token: number; sentMs: number }> {
  const sentMs = nowMs();
  lock = await holdLock({
    client,
    clock: systemClock,
    random: systemRandom,
    name: LOCK,
    holder,
    ttlMs,
    waitMs: Infinity,
    awayMs: AWAY_MS,
  });
  return { token: lock.token, sentMs };
}

function shelfAt(path: string): DatabaseSync {
  const shelf = shelves.get(path) ?? new DatabaseSync(path, { timeout: 5_000 });
  shelves.set(path, shelf);
  return shelf;
}

/** A fenced shelf notes the token of who reads to write, too: an older one could still write in between. */
function read({ path, kind }: ShelfPlace, token: number): boolean {
  const shelf = shelfAt(path);
  if (kind === 'fenced') {
    const seen = shelf.prepare('UPDATE shelf SET token = ? WHERE token <= ?').run(token, token);
    if (seen.changes === 0) return false;
  }
  members = JSON.parse((shelf.prepare('SELECT members FROM shelf').get() as { members: string }).members);
  return true;
}

function write({ path, kind }: ShelfPlace, token: number, item: string): boolean {
  const shelf = shelfAt(path);
  const added = JSON.stringify([...members, item]);
  const written =
    kind === 'unfenced'
      ? shelf.prepare('UPDATE shelf SET members = ?').run(added)
      : shelf.prepare('UPDATE shelf SET members = ?, token = ? WHERE token <= ?').run(added, token, token);
  return written.changes === 1;
}

/** Takes it again and again, and acts for as long as it may; each time an act is counted it was still held after. */
async function goRound(times: number, ttlMs: number): Promise<void> {
  for (let i = 0; i < times; i += 1) {
    const { token, sentMs } = await take(ttlMs);
    const acts: number[] = [];
    process.send?.({ kind: 'holds', token } satisfies Answer);
    for (let act = 0; act < 5; act += 1) {
      const atMs = nowMs();
      if (lock?.leftMs() === 0) break;
      acts.push(atMs);
      await systemClock.sleep(WORK_MS);
    }
    const toMs = acts.at(-1) ?? null;
    process.send?.({
      kind: 'grant',
      grant: { holder, token, sentMs, fromMs: acts[0] ?? null, toMs },
    } satisfies Answer);
    await lock?.release();
  }
}

async function obey(order: Order): Promise<Answer> {
  const token = lock?.token ?? 0;
  switch (order.kind) {
    case 'take':
      return { kind: 'took', ...(await take(order.ttlMs)) };
    case 'read':
      return { kind: 'did', accepted: read(order.shelf, token) };
    case 'write':
      return { kind: 'did', accepted: write(order.shelf, token, order.item) };
    case 'release':
      return { kind: 'did', accepted: (await lock?.release()) === 'released' };
    case 'go round':
      await goRound(order.times, order.ttlMs);
      return { kind: 'did', accepted: true };
  }
}

process.on('message', (order: Order) => {
  obey(order).then(
    (answer) => process.send?.(answer),
    (error: unknown) => process.send?.({ kind: 'failed', why: String(error) } satisfies Answer),
  );
});
process.on('disconnect', () => process.exit());
