// What is found in a small file of a test.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { tempFolder } from '@jarvis/testkit';
import { type Format, FORMS } from '../../src/import/formats.ts';
import { BrokenFile, type Found, type Mapping, type NotMapped } from '../../src/import/found.ts';
import { readLanguages } from '../../src/import/home-assistant.ts';
import type { InputFile } from '../../src/import/text.ts';

export interface Read {
  /** `text -> intent`, or what else it is, in order. */
  readonly sentences: readonly string[];
  readonly found: readonly Found[];
  /** `line code`, in order. */
  readonly notMapped: readonly string[];
}

const DEFAULT: Mapping = { modelType: null, textColumn: null, labelColumn: null, formsMax: 100 };

export async function read(
  t: TestContext,
  format: Format,
  content: string | Buffer,
  { name = 'file', also = [], ...mapping }: Partial<Mapping> & { name?: string; also?: string[] } = {},
): Promise<Read> {
  const folder = await tempFolder(t);
  const files: InputFile[] = [];
  for (const [i, bytes] of [content, ...also].entries()) {
    const path = join(folder, `${i}-${name}`);
    await writeFile(path, bytes);
    files.push({ name, path, bytes: Buffer.byteLength(bytes) });
  }
  const languages = await readLanguages(format === 'home-assistant' ? files : []);
  const found: Found[] = [];
  const [file] = files;
  try {
    if (file !== undefined)
      for await (const one of FORMS[format].read(file, { ...DEFAULT, ...mapping, languages }, { bytes: 0 }))
        found.push(one);
  } catch (error) {
    if (!(error instanceof BrokenFile)) throw error;
    found.push(error.found);
  }
  return {
    found,
    sentences: found.flatMap((one) => ('code' in one ? [] : [sentence(one.experience)])),
    notMapped: found.filter((one): one is NotMapped => 'code' in one).map((one) => `${one.line} ${one.code}`),
  };
}

function sentence({ input, expected_output }: { input: object; expected_output?: unknown }): string {
  const values = (of: unknown): string => Object.values(of ?? {}).join(' + ');
  return `${values(input)} -> ${values(expected_output)}`;
}
