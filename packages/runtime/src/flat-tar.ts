// A tar of a few files side by side, as an artifact is: written so that the same files give the same bytes, and read as if
// somebody meant harm: no folder, link or device, no path, nothing twice, no more than was agreed on.
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { CodedError } from '@jarvis/contracts';
import { createTarDecoder, createTarPacker, type ParsedTarEntry } from 'modern-tar';

/** What a header, padding and end take beside the bytes of the files. */
const BLOCK_BYTES = 512;
const BLOCKS_PER_FILE = 6;
/** Writers fill up to this with zeros. */
const RECORD_BYTES = 10_240;
const FILE_NAME = /^[A-Za-z0-9_.-]+$/;

export interface TarFile {
  readonly name: string;
  readonly bytes: number;
  readonly read: () => AsyncIterable<Uint8Array>;
}

export interface TarLimits {
  readonly filesMax: number;
  /** Of all files together. */
  readonly bytesMax: number;
}

/** In the order of the names, of no time and of nobody. */
export function packFlatTar(files: readonly TarFile[]): Readable {
  const { readable, controller } = createTarPacker();
  const pack = async (): Promise<void> => {
    for (const file of files.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
      const nobody = { uid: 0, gid: 0, uname: '', gname: '' };
      const header = { name: file.name, size: file.bytes, type: 'file', mode: 0o644 } as const;
      const writer = controller.add({ ...header, ...nobody, mtime: new Date(0) }).getWriter();
      for await (const chunk of file.read()) await writer.write(chunk);
      await writer.close();
    }
    controller.finalize();
  };
  pack().catch((error: unknown) => controller.error(error));
  return Readable.fromWeb(readable);
}

/** How long a tar of such files may be; `unpackFlatTar` takes no more bytes. */
export function tarBytesMax({ filesMax, bytesMax }: TarLimits): number {
  return bytesMax + RECORD_BYTES + filesMax * BLOCKS_PER_FILE * BLOCK_BYTES;
}

/**
 * Writes the files into a folder, which has to be there. One that is refused is still taken to its end, so that who sends
 * it hears why; but never more of it than `tarBytesMax`. @throws {CodedError} `artifact_refused`, `body_too_large`
 */
export async function unpackFlatTar(
  tar: AsyncIterable<Uint8Array>,
  folder: string,
  limits: TarLimits,
): Promise<string[]> {
  const { readable, writable } = createTarDecoder({ strict: true });
  const settled = Promise.allSettled([feed(tar, writable.getWriter(), tarBytesMax(limits))]);
  const [written] = await Promise.allSettled([writeAll(readable, folder, limits)]);
  const [fed] = await settled;
  if (written.status === 'rejected') throw refusalOf(written.reason);
  // Of that the reader has not heard: there was too much behind the end of the archive.
  if (fed.status === 'rejected') throw fed.reason;
  return written.value;
}

/** To the end also when nobody reads any more. */
async function feed(
  tar: AsyncIterable<Uint8Array>,
  decoder: WritableStreamDefaultWriter<Uint8Array>,
  bytesMax: number,
): Promise<void> {
  let bytes = 0;
  let isRead = true;
  const unread = (): void => void (isRead = false);
  try {
    for await (const chunk of tar) {
      bytes += chunk.length;
      if (bytes > bytesMax) throw tooLarge(bytesMax);
      if (isRead) await decoder.write(chunk).catch(unread);
    }
  } catch (error) {
    await decoder.abort(error).catch(unread);
    throw error;
  }
  if (isRead) await decoder.close().catch(unread);
}

async function writeAll(
  entries: ReadableStream<ParsedTarEntry>,
  folder: string,
  { filesMax, bytesMax }: TarLimits,
): Promise<string[]> {
  const names: string[] = [];
  let bytes = 0;
  for await (const entry of entries) {
    const name = nameOf(entry);
    if (name === null) {
      await entry.body.cancel();
      continue;
    }
    bytes += entry.header.size;
    if (names.length >= filesMax)
      throw new CodedError('artifact_refused', `the tar has more than ${filesMax} files`);
    if (bytes > bytesMax) throw tooLarge(bytesMax);
    if (names.includes(name)) throw new CodedError('artifact_refused', `the tar has ${name} twice`);
    names.push(name);
    await write(join(folder, name), entry);
  }
  return names;
}

/** What is wrong with the archive is said; what is wrong with this machine (a full disk) is thrown as it is. */
function refusalOf(error: unknown): unknown {
  if (error instanceof CodedError || (error as NodeJS.ErrnoException).code !== undefined) return error;
  const why = (error as Error).message;
  return new CodedError('artifact_refused', `it is no tar that can be read: ${why}`, {}, { cause: error });
}

/** Null for the folder itself, which `tar -C FOLDER .` puts in. */
function nameOf({ header }: ParsedTarEntry): string | null {
  const name = header.name.replace(/^\.\//, '');
  if (header.type === 'directory' && (name === '' || name === '.')) return null;
  if (header.type !== undefined && header.type !== 'file')
    throw new CodedError(
      'artifact_refused',
      `the tar has ${header.name}, a ${header.type}: only plain files may be in it`,
    );
  if (!FILE_NAME.test(name) || /^\.+$/.test(name))
    throw new CodedError(
      'artifact_refused',
      `the tar has a file ${JSON.stringify(header.name)}: names are plain, without folders, of letters, digits, _ . -`,
    );
  return name;
}

async function write(path: string, entry: ParsedTarEntry): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    for await (const chunk of entry.body) await file.write(chunk);
  } finally {
    await file.close();
  }
}

function tooLarge(bytesMax: number): CodedError {
  return new CodedError(
    'body_too_large',
    `the tar has more than ${bytesMax} bytes, which is all it may have`,
  );
}
