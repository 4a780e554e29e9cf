// What retention goes by: who needs which version, and which blobs this database has had a hand in.
//   a blob may be loose: before it is taken in, and from when the version that named it is retired, until it was looked at
import type { ModelType } from '@jarvis/contracts';
import type { StoredVersions } from '@jarvis/policy';
import { join, type Reader, sql, type Transaction } from '@jarvis/store';
import { championBefore, championOf, listVersions, manifestOf, type VersionRow } from './versions.ts';

export async function readStoredVersions(db: Reader, modelType: ModelType): Promise<StoredVersions> {
  const aliased = await db.all<{ version: string }>(
    sql`SELECT DISTINCT version FROM aliases WHERE model_type = ${modelType}`,
  );
  const deploying = await db.all<{ model_version: string; stable_version: string | null }>(
    sql`SELECT model_version, stable_version FROM deployments WHERE model_type = ${modelType} AND ended_at IS NULL`,
  );
  return {
    versions: (await listVersions(db, modelType)).map(({ version }) => version),
    champion: await championOf(db, modelType),
    rollbackTarget: await championBefore(db, modelType),
    deploying: deploying.flatMap(({ model_version, stable_version }) =>
      stable_version === null ? [model_version] : [model_version, stable_version],
    ),
    aliased: aliased.map(({ version }) => version),
  };
}

/** Every file of a version, `model.json` among them. */
export function blobsOf(row: VersionRow): string[] {
  return [row.digest, ...Object.values(manifestOf(row).files).map(({ sha256 }) => sha256)];
}

/** Its row stays. Its files may be loose from now on. */
export async function retireVersion(tx: Transaction, row: VersionRow, at: string): Promise<void> {
  await tx.run(sql`
    UPDATE versions SET retired_at = ${at}
    WHERE model_type = ${row.model_type} AND version = ${row.version} AND retired_at IS NULL`);
  await noteLoose(tx, blobsOf(row));
}

export async function noteLoose(tx: Transaction, sha256s: readonly string[]): Promise<void> {
  for (const sha256 of new Set(sha256s))
    await tx.run(sql`INSERT INTO loose_blobs (sha256) VALUES (${sha256}) ON CONFLICT (sha256) DO NOTHING`);
}

export async function listLoose(db: Reader, limit: number): Promise<string[]> {
  const rows = await db.all<{ sha256: string }>(
    sql`SELECT sha256 FROM loose_blobs ORDER BY sha256 LIMIT ${limit}`,
  );
  return rows.map(({ sha256 }) => sha256);
}

export async function forgetLoose(tx: Transaction, sha256s: readonly string[]): Promise<void> {
  if (sha256s.length > 0) await tx.run(sql`DELETE FROM loose_blobs WHERE sha256 IN (${join([...sha256s])})`);
}

/** What the versions that are not retired are made of. Throws when one of them can't be read: then nothing may go. */
export async function readNamedBlobs(db: Reader): Promise<Set<string>> {
  const rows = await db.all<VersionRow>(sql`SELECT * FROM versions WHERE retired_at IS NULL`);
  return new Set(rows.flatMap(blobsOf));
}
