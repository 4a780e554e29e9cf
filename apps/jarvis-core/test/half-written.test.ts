// A file in the drop folder that somebody is still writing, by a clock that is moved by hand.
import assert from 'node:assert/strict';
import { access, readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { Meter, silentLogger } from '@jarvis/runtime';
import { openSqlite } from '@jarvis/store';
import { ManualClock, tempFolder, until } from '@jarvis/testkit';
import { watchDropFolder } from '../src/experiences/drop-folder.ts';
import { countAll } from '../src/store/experiences.ts';
import { MIGRATIONS } from '../src/store/migrations.ts';
import { commands } from './client.ts';

const CONTENT = JSON.stringify({ batch_id: 'slow', model_type: 'nlu', experiences: commands(6) });
const OTHER = JSON.stringify({ batch_id: 'other', model_type: 'nlu', experiences: commands(1) });

async function setUp(t: TestContext) {
  const folder = await tempFolder(t);
  const db = await openSqlite({ path: join(folder, 'core.db'), migrations: MIGRATIONS });
  const clock = new ManualClock();
  const write = async (name: string, content: string): Promise<void> => {
    await writeFile(join(folder, name), content);
    const at = clock.now() / 1000;
    await utimes(join(folder, name), at, at);
  };
  const watch = () => {
    const options = { folder, db, clock, logger: silentLogger(), meter: new Meter(), intervalMs: 1000 };
    const loop = watchDropFolder(options);
    t.after(async () => {
      await loop.stop();
      await db.close();
    });
    return loop;
  };
  return { folder, db, clock, write, watch };
}

test('it is left until it is whole, and does not keep the file beside it waiting', async (t) => {
  const { folder, db, write, watch } = await setUp(t);
  await write('experiences_nlu_1.json', CONTENT.slice(0, 40));
  await write('experiences_nlu_2.json', OTHER);
  const loop = watch();
  await until('the file beside it to be taken', async () => (await countAll(db)) === 1);
  assert.equal(await readFile(join(folder, 'experiences_nlu_1.json'), 'utf8'), CONTENT.slice(0, 40));
  await writeFile(join(folder, 'experiences_nlu_1.json'), CONTENT);
  loop.wake();
  await until('the file to be taken', async () => (await countAll(db)) === 7);
});

test('when nobody goes on writing, it is set aside; so is one that comes from the future', async (t) => {
  const { folder, clock, write, watch } = await setUp(t);
  await write('experiences_nlu_1.json', CONTENT.slice(0, 40));
  clock.advance(-3_600_000);
  await write('experiences_nlu_2.json', CONTENT.slice(0, 40));
  clock.advance(2_001);
  watch();
  for (const n of [1, 2])
    await until(`file ${n} to be set aside`, () =>
      access(join(folder, `rejected/experiences_nlu_${n}.json`)).then(
        () => true,
        () => false,
      ),
    );
});
