// I8 for one file: it is there, with the size and, where that was looked at, the digest that it was promised with.
import type { Broken } from './stream-invariant.ts';

export interface FileFacts {
  /** Whose file it is, for a person. */
  readonly whose: string;
  readonly wantedBytes: number;
  readonly wantedSha256: string;
  /** null: it is not there. */
  readonly foundBytes: number | null;
  /** null: it was not read this time. */
  readonly foundSha256: string | null;
}

export function checkFile(file: FileFacts): Broken[] {
  const { whose, wantedBytes, wantedSha256, foundBytes, foundSha256 } = file;
  const broken = (message: string): Broken[] => [{ invariant: 'I8', message: `${whose} ${message}` }];
  if (foundBytes === null) return broken('is not there');
  if (foundBytes !== wantedBytes) return broken(`has ${foundBytes} bytes, not ${wantedBytes}`);
  if (foundSha256 !== null && foundSha256 !== wantedSha256)
    return broken(`has SHA-256 ${foundSha256}, not ${wantedSha256}`);
  return [];
}
