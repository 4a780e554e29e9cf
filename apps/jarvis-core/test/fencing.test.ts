// What a lock is good for, with real processes: paused for longer than it lives, its holder writes all the same. A shelf that
// does not look at tokens has to lose what was put there; one that does, nothing. And who keeps its deadline is alone.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, type TestContext, test } from 'node:test';
import { createTestDatabase, findPostgres, freePort, stopPostgres, until } from '@jarvis/testkit';
import { Locker, type ShelfKind } from './locker.ts';
import { brokenMutex, type GrantSeen } from './mutex-history.ts';
import { type CoreProcess, makeWorld, spawnCore, type World } from './world.ts';

const TTL_MS = 400;
const PAUSED: readonly ('writes last' | 'writes before the next')[] = [
  'writes last',
  'writes before the next',
];
const ROUNDS = 5;
/** Early enough that others come after it. */
const PAUSED_TOKEN = 3;

const postgres = await findPostgres();
after(stopPostgres);
const ENGINES = [
  { name: 'sqlite', skip: false, environment: async () => ({}) },
  {
    name: 'postgres',
    skip: postgres.ok ? false : postgres.reason,
    environment: async (t: TestContext) => ({
      DATABASE_URL: postgres.ok ? await createTestDatabase(t, postgres.url) : '',
    }),
  },
] as const;

/** JARVIS Core alone. */
async function makeLockWorld(t: TestContext, environment: Readonly<Record<string, string>>): Promise<World> {
  return makeWorld(t, { ...environment, REACTOR_CORE_ENABLED: 'false', JARVIS_PRIME_ENABLED: 'false' });
}

interface Started {
  readonly core: CoreProcess;
  readonly lockers: readonly Locker[];
  /** Once more, at the same address. */
  readonly startCore: () => Promise<CoreProcess>;
}

/** All at once: most of the time of this test is that of programs that start. */
async function startWith(world: World, holders: readonly string[]): Promise<Started> {
  const port = String(await freePort());
  const lockers = holders.map((holder) => new Locker(`http://127.0.0.1:${port}`, holder));
  world.undo.push(...lockers.map((locker) => () => locker.end()));
  const startCore = (): Promise<CoreProcess> => spawnCore(world, { JARVIS_PORT: port });
  return { core: await startCore(), lockers, startCore };
}

class Shelf {
  readonly path: string;
  readonly kind: ShelfKind;
  readonly #db: DatabaseSync;
  readonly acknowledged: string[] = [];
  readonly refused: string[] = [];

  constructor(folder: string, kind: ShelfKind) {
    this.kind = kind;
    this.path = join(folder, `${kind.replaceAll(' ', '-')}.db`);
    this.#db = new DatabaseSync(this.path);
    this.#db.exec(
      `CREATE TABLE shelf (members TEXT NOT NULL, token INTEGER NOT NULL); INSERT INTO shelf VALUES ('[]', 0)`,
    );
  }

  async write(locker: Locker, item: string): Promise<void> {
    const { path, kind } = this;
    const accepted = await locker.does({ kind: 'write', shelf: { path, kind }, item });
    (accepted ? this.acknowledged : this.refused).push(item);
  }

  /** What its writer was told is there, and is not. */
  get lost(): string[] {
    const { members } = this.#db.prepare('SELECT members FROM shelf').get() as { members: string };
    const there = new Set(JSON.parse(members) as string[]);
    return this.acknowledged.filter((item) => !there.has(item));
  }

  close(): void {
    this.#db.close();
  }
}

/** One holder is paused between reading and writing until another has the lock. */
async function pauseOne(shelf: Shelf, [slow, next]: readonly [Locker, Locker], round: string): Promise<void> {
  const read = { kind: 'read', shelf: { path: shelf.path, kind: shelf.kind } } as const;
  await slow.take(TTL_MS);
  assert.ok(await slow.does(read));
  slow.pause();
  await next.take(TTL_MS);
  assert.ok(await next.does(read));
  if (round === 'writes last') await shelf.write(next, `next, ${round}`);
  slow.goOn();
  await shelf.write(slow, `slow, ${round}`);
  if (round !== 'writes last') await shelf.write(next, `next, ${round}`);
  await next.does({ kind: 'release' });
  assert.equal(await slow.does({ kind: 'release' }), false, 'it was not its any more');
}

for (const engine of ENGINES) {
  test(
    `${engine.name}: a fenced shelf loses nothing, one that is not does`,
    { skip: engine.skip },
    async (t) => {
      const world = await makeLockWorld(t, await engine.environment(t));
      const { lockers } = await startWith(world, ['slow', 'next']);
      const [slow, next] = lockers;
      assert.ok(slow !== undefined && next !== undefined);
      const seen: Record<string, { lost: string[]; refused: string[] }> = {};
      for (const kind of ['unfenced', 'fenced at writes only', 'fenced'] as const) {
        const shelf = new Shelf(world.folder, kind);
        world.undo.push(async () => shelf.close());
        for (const round of PAUSED) await pauseOne(shelf, [slow, next], round);
        assert.equal(shelf.acknowledged.length + shelf.refused.length, 4, 'each was told what became of it');
        seen[kind] = { lost: shelf.lost, refused: shelf.refused };
      }
      assert.deepEqual(seen, {
        unfenced: { lost: ['next, writes last', 'slow, writes before the next'], refused: [] },
        'fenced at writes only': { lost: ['slow, writes before the next'], refused: ['slow, writes last'] },
        fenced: { lost: [], refused: ['slow, writes last', 'slow, writes before the next'] },
      });
    },
  );

  test(
    `${engine.name}: who keeps its deadline is alone, over pauses and kill -9`,
    { skip: engine.skip },
    async (t) => {
      const world = await makeLockWorld(t, await engine.environment(t));
      const { core, lockers, startCore } = await startWith(world, ['a', 'b', 'c']);
      const history: GrantSeen[] = [];
      let highest = 0;
      let paused: Locker | null = null;
      for (const locker of lockers) {
        locker.seen.on('grant', (grant: GrantSeen) => history.push(grant));
        locker.seen.on('holds', (token: number) => {
          highest = Math.max(highest, token);
          if (token === PAUSED_TOKEN) (paused = locker).pause();
          else if (token > PAUSED_TOKEN) paused?.goOn();
        });
      }
      const done = lockers.map((locker) => locker.does({ kind: 'go round', times: ROUNDS, ttlMs: TTL_MS }));
      await until('some grants after a pause', () => highest > PAUSED_TOKEN + 1);
      await core.kill();
      await startCore();
      assert.deepEqual(await Promise.all(done), [true, true, true]);
      assert.equal(history.length, lockers.length * ROUNDS);
      assert.deepEqual(brokenMutex(history), []);
    },
  );
}

test('a history that no mutex has is told', () => {
  const a = { holder: 'a', token: 1, sentMs: 0, fromMs: 1, toMs: 5 };
  const b = { holder: 'b', token: 2, sentMs: 2, fromMs: 6, toMs: 9 };
  assert.deepEqual(brokenMutex([a, b]), []);
  assert.deepEqual(brokenMutex([a, { ...b, fromMs: null, toMs: null }]), []);
  assert.match(
    String(brokenMutex([a, { ...b, fromMs: 4 }])),
    /a \(token 1\) and b \(token 2\) hold it at once/,
  );
  assert.match(String(brokenMutex([a, { ...b, token: 1 }])), /that token was given before/);
  assert.match(
    String(brokenMutex([{ ...a, token: 3 }, b])),
    /b \(token 2\) was asked for after a \(token 3\)/,
  );
});
