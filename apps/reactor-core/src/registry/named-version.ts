// A version by whatever a client calls it.
import { CodedError } from '@jarvis/contracts';
import type { Reader } from '@jarvis/store';
import { findNamed } from '../store/aliases.ts';
import { findEverVersion, type VersionRow } from '../store/versions.ts';

/** @throws {CodedError} `not_found`: there never was such a version, its files are gone, or the alias points to none */
export async function mustFindVersion(db: Reader, kind: string, name: string): Promise<VersionRow> {
  const row = await findNamed(db, kind, name);
  if (row !== undefined) return row;
  const retired = await findEverVersion(db, kind, name);
  throw new CodedError(
    'not_found',
    retired === undefined
      ? `there is no version ${name} of ${kind}`
      : `${kind} ${name} was retired at ${retired.retired_at}: its files are gone`,
  );
}
