// Which migrations are still to be applied. The same list holds for both engines; each was applied once, and as it stands.
import { createHash } from 'node:crypto';
import { CodedError } from '@jarvis/contracts';
import type { Migration } from './database.ts';

export const MIGRATIONS_TABLE =
  'CREATE TABLE IF NOT EXISTS migrations (id INTEGER PRIMARY KEY, name TEXT NOT NULL, sha256 TEXT NOT NULL)';

export interface Applied {
  readonly id: number;
  readonly sha256: string;
}

export interface Pending extends Migration {
  readonly sha256: string;
}

/** What a migration of a store does, or did. */
export interface MigrationReport {
  readonly engine: 'sqlite' | 'postgres';
  /** The file, or the schema. */
  readonly where: string;
  /** How many were there before. */
  readonly applied: number;
  readonly pending: readonly { readonly id: number; readonly name: string }[];
}

/** Throws `internal` when a migration was changed after it had been applied, and for a store of a newer version. */
export function pendingOf(migrations: readonly Migration[], applied: readonly Applied[]): Pending[] {
  const known = new Set(migrations.map((m) => m.id));
  if (applied.some((a) => !known.has(a.id)))
    throw new CodedError(
      'internal',
      `this home was written by a newer version (it has ${applied.length} migrations, this one knows ${migrations.length}): use that version`,
    );
  const before = new Map(applied.map((a) => [a.id, a.sha256]));
  return migrations.flatMap((migration) => {
    const sha256 = createHash('sha256').update(migration.sql).digest('hex');
    const found = before.get(migration.id);
    if (found !== undefined && found !== sha256)
      throw new CodedError(
        'internal',
        `migration ${migration.id} (${migration.name}) was changed after it had been applied`,
      );
    return found === undefined ? [{ ...migration, sha256 }] : [];
  });
}

export function reportOf(
  where: Pick<MigrationReport, 'engine' | 'where'>,
  counts: { readonly applied: number; readonly pending: readonly Migration[] },
): MigrationReport {
  return {
    ...where,
    applied: counts.applied,
    pending: counts.pending.map(({ id, name }) => ({ id, name })),
  };
}
