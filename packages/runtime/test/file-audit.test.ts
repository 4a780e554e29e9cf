// Files held against their promises, with a limit on how much is read at a time.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { tempFolder } from '@jarvis/testkit';
import { FileAudit, type PromisedFile } from '../src/index.ts';

const BYTES = 100;

async function files(t: TestContext, names: readonly string[], matters = false): Promise<PromisedFile[]> {
  const folder = await tempFolder(t);
  return Promise.all(
    names.map(async (name) => {
      const path = join(folder, name);
      const content = name.padEnd(BYTES, '.');
      await writeFile(path, content);
      const sha256 = createHash('sha256').update(content).digest('hex');
      return { path, bytes: BYTES, sha256, matters };
    }),
  );
}

test('sizes of all; digests up to the limit, what matters first, the others in turn', async (t) => {
  const [urgent] = await files(t, ['champion'], true);
  const others = await files(t, ['a', 'b', 'c', 'd', 'e']);
  assert.ok(urgent !== undefined);
  const audit = new FileAudit(3 * BYTES);
  const readOnce: string[] = [];
  for (let look = 0; look < 3; look += 1) {
    const { found, note } = await audit.look([...others, urgent]);
    assert.match(note, /sizes of 6 files were looked at, the digests of 3 /);
    assert.equal(found.get(urgent.path)?.sha256, urgent.sha256);
    for (const { path, sha256 } of others) {
      assert.equal(found.get(path)?.bytes, BYTES);
      const seen = found.get(path)?.sha256;
      if (seen !== null) readOnce.push(path);
      assert.ok(seen === null || seen === sha256);
    }
  }
  assert.equal(new Set(readOnce).size, others.length, 'after three looks all were read');
});

test('a file that is not there is found to be so, and costs nothing of the limit', async (t) => {
  const [gone, there] = await files(t, ['gone', 'there']);
  assert.ok(gone !== undefined && there !== undefined);
  await rm(gone.path);
  const { found } = await new FileAudit(BYTES).look([gone, there]);
  assert.deepEqual(found.get(gone.path), { bytes: null, sha256: null });
  assert.equal(found.get(there.path)?.sha256, there.sha256);
});
