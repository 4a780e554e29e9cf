// A flat tar: the same bytes for the same files, and nothing but plain files comes out of one that is sent.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { test, type TestContext } from 'node:test';
import { isCodedError } from '@jarvis/contracts';
import { packTar, type TarEntry } from 'modern-tar';
import { packFlatTar, type TarFile, unpackFlatTar } from '../src/index.ts';

const LIMITS = { filesMax: 4, bytesMax: 100_000 };

async function folderOf(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'flat-tar-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

function file(name: string, body: Uint8Array | string): TarFile {
  const bytes = Buffer.from(body);
  return {
    name,
    bytes: bytes.length,
    read: async function* () {
      yield bytes;
    },
  };
}

async function* inPieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const entry = (name: string, more: Partial<TarEntry['header']> = {}, body = 'x'): TarEntry => ({
  header: { name, size: Buffer.byteLength(body), type: 'file', ...more },
  ...(more.size === 0 ? {} : { body }),
});

test('what is packed comes out again, and other programs read it', async (t) => {
  const folder = await folderOf(t);
  const large = Buffer.alloc(70_001, 7);
  const tar = await buffer(packFlatTar([file('b.bin', large), file('a.json', '{}'), file('empty', '')]));
  assert.deepEqual(await unpackFlatTar(inPieces(tar, 1_000), folder, LIMITS), ['a.json', 'b.bin', 'empty']);
  assert.deepEqual(await readFile(join(folder, 'b.bin')), large);
  assert.equal(await readFile(join(folder, 'a.json'), 'utf8'), '{}');
  await writeFile(join(folder, 'x.tar'), tar);
  const listed = execFileSync('tar', ['-tvf', join(folder, 'x.tar')], { env: { TZ: 'UTC' } }).toString();
  assert.match(listed, /^-rw-r--r-- 0\/0 +2 1970-01-01 00:00 a\.json$/m);
});

test('the same files give the same bytes, in whatever order they come', async () => {
  const files = [file('b', 'two'), file('a', 'one'), file('c', 'three')];
  const first = await buffer(packFlatTar(files));
  assert.deepEqual(await buffer(packFlatTar(files.toReversed())), first);
});

test('a file that is shorter than it was said to be is an error, not a shorter tar', async () => {
  await assert.rejects(buffer(packFlatTar([{ ...file('a', 'one'), bytes: 7 }])));
});

test('what GNU tar makes of a folder is read', async (t) => {
  const folder = await folderOf(t);
  const [from, into] = [join(folder, 'from'), join(folder, 'into')];
  for (const made of [from, into]) await mkdir(made);
  await writeFile(join(from, 'model.json'), '{}');
  const tar = execFileSync('tar', ['-cf', '-', '-C', from, '.']);
  assert.deepEqual(await unpackFlatTar(inPieces(tar, 512), into, LIMITS), ['model.json']);
  await symlink('/etc/passwd', join(from, 'passwd'));
  await assert.rejects(
    unpackFlatTar(inPieces(execFileSync('tar', ['-cf', '-', '-C', from, '.']), 512), join(folder), LIMITS),
    /passwd, a symlink: only plain files/,
  );
});

const HOSTILE: readonly [string, readonly TarEntry[], RegExp][] = [
  ['a symbolic link', [entry('a', { type: 'symlink', linkname: '/etc/passwd', size: 0 })], /a symlink/],
  ['a hard link', [entry('a', { type: 'link', linkname: 'b', size: 0 })], /a link/],
  ['a device', [entry('a', { type: 'character-device', size: 0 })], /a character-device/],
  ['a pipe', [entry('a', { type: 'fifo', size: 0 })], /a fifo/],
  ['a folder', [entry('a/', { type: 'directory', size: 0 })], /a directory/],
  ['a path up', [entry('../a')], /names are plain/],
  ['a path down', [entry('a/b')], /names are plain/],
  ['an absolute path', [entry('/tmp/a')], /names are plain/],
  ['a path of the other system', [entry('..\\a')], /names are plain/],
  ['a name of dots', [entry('..')], /names are plain/],
  ['a path that only the PAX header tells', [entry('a', { pax: { path: '../a' } })], /names are plain/],
  ['the same name twice', [entry('a'), entry('./a')], /a twice/],
  ['too many files', ['a', 'b', 'c', 'd', 'e'].map((name) => entry(name)), /more than 4 files/],
  ['too many bytes', [entry('a', {}, 'x'.repeat(60_000)), entry('b', {}, 'x'.repeat(60_000))], /more than/],
];

for (const [what, entries, message] of HOSTILE)
  test(`${what} in a tar is refused, and nothing lies outside the folder`, async (t) => {
    const folder = await folderOf(t);
    const into = join(folder, 'into');
    await mkdir(into);
    const tar = await packTar(entries);
    await assert.rejects(unpackFlatTar(inPieces(tar, 4_096), into, LIMITS), (error) => {
      assert.ok(
        isCodedError(error, 'artifact_refused') || isCodedError(error, 'body_too_large'),
        String(error),
      );
      assert.match(error.message, message);
      return true;
    });
    assert.deepEqual(await readdir(folder), ['into']);
    for (const name of await readdir(into)) assert.match(name, /^[a-e]$/);
  });

test('what is no tar, cut short, damaged or without end is refused', async (t) => {
  const folder = await folderOf(t);
  const into = async (): Promise<string> => mkdtemp(join(folder, 'into-'));
  const tar = Buffer.from(await packTar([entry('a', {}, 'x'.repeat(5_000))]));
  const damaged = Buffer.from(tar);
  damaged[150] = 0x37;
  for (const bytes of [tar.subarray(0, 3_000), damaged, Buffer.from('PK no tar at all'.repeat(100))])
    await assert.rejects(unpackFlatTar(inPieces(bytes, 512), await into(), LIMITS), (error) =>
      isCodedError(error, 'artifact_refused'),
    );
  const endless = async function* (): AsyncGenerator<Uint8Array> {
    yield tar;
    for (;;) yield Buffer.alloc(10_000);
  };
  await assert.rejects(unpackFlatTar(endless(), await into(), LIMITS), (error) =>
    isCodedError(error, 'body_too_large'),
  );
});
