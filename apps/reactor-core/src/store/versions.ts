// Versions and which of them was promoted: the champion is the newest promotion that was not taken back. A retired version
// keeps its row, so that its number is never given again and its lineage can be told; its files are gone.
import { modelManifestSchema, type ModelManifest, type ModelType } from '@jarvis/contracts';
import { type Reader, sql, type Transaction } from '@jarvis/store';

export interface VersionRow {
  readonly model_type: ModelType;
  readonly version: string;
  readonly digest: string;
  /** The text of model.json. */
  readonly manifest: string;
  readonly job_id: string | null;
  readonly parent_version: string | null;
  readonly created_at: string;
  readonly retired_at: string | null;
}

export type NewVersion = Omit<VersionRow, 'retired_at'>;

export function manifestOf(row: VersionRow): ModelManifest {
  return modelManifestSchema.parse(JSON.parse(row.manifest));
}

export function findVersion(db: Reader, modelType: string, version: string): Promise<VersionRow | undefined> {
  return db.get<VersionRow>(
    sql`SELECT * FROM versions WHERE model_type = ${modelType} AND version = ${version} AND retired_at IS NULL`,
  );
}

/** Also one whose files are gone. */
export function findEverVersion(
  db: Reader,
  modelType: string,
  version: string,
): Promise<VersionRow | undefined> {
  return db.get<VersionRow>(
    sql`SELECT * FROM versions WHERE model_type = ${modelType} AND version = ${version}`,
  );
}

/** The highest with these files. */
export function findVersionOfDigest(
  db: Reader,
  modelType: string,
  digest: string,
): Promise<VersionRow | undefined> {
  return db.get<VersionRow>(sql`
    SELECT * FROM versions WHERE model_type = ${modelType} AND digest = ${digest} AND retired_at IS NULL
    ORDER BY major DESC, minor DESC, patch DESC LIMIT 1`);
}

/** The highest there ever was, retired or not: the next one comes after it. */
export function findLatestVersion(db: Reader, modelType: string): Promise<VersionRow | undefined> {
  return db.get<VersionRow>(
    sql`SELECT * FROM versions WHERE model_type = ${modelType} ORDER BY major DESC, minor DESC, patch DESC LIMIT 1`,
  );
}

export function listVersions(db: Reader, modelType: string): Promise<VersionRow[]> {
  return db.all<VersionRow>(
    sql`SELECT * FROM versions WHERE model_type = ${modelType} AND retired_at IS NULL ORDER BY major DESC, minor DESC, patch DESC`,
  );
}

export function countVersions(db: Reader): Promise<{ model_type: ModelType; versions: number }[]> {
  return db.all(
    sql`SELECT model_type, count(*) AS versions FROM versions WHERE retired_at IS NULL GROUP BY model_type ORDER BY model_type`,
  );
}

export async function insertVersion(tx: Transaction, row: NewVersion): Promise<void> {
  const [major = 0, minor = 0, patch = 0] = row.version.slice(1).split('.').map(Number);
  await tx.run(sql`
    INSERT INTO versions (model_type, version, major, minor, patch, digest, manifest, job_id, parent_version, created_at)
    VALUES (${row.model_type}, ${row.version}, ${major}, ${minor}, ${patch}, ${row.digest}, ${row.manifest},
      ${row.job_id}, ${row.parent_version}, ${row.created_at})`);
}

/** What every kind that has a champion serves to everybody. */
export function listChampions(db: Reader): Promise<VersionRow[]> {
  return db.all<VersionRow>(sql`
    SELECT versions.* FROM versions
    JOIN promotions ON promotions.model_type = versions.model_type AND promotions.version = versions.version
    WHERE promotions.id IN (SELECT max(id) FROM promotions WHERE reverted_at IS NULL GROUP BY model_type)
    ORDER BY versions.model_type`);
}

export async function championOf(db: Reader, modelType: string): Promise<string | null> {
  const row = await db.get<{ version: string }>(sql`
    SELECT version FROM promotions WHERE model_type = ${modelType} AND reverted_at IS NULL ORDER BY id DESC LIMIT 1`);
  return row?.version ?? null;
}

/** The version that was champion before this one, and still may be; null when there is none. */
export async function championBefore(db: Reader, modelType: string): Promise<string | null> {
  const champion = await championOf(db, modelType);
  const row = await db.get<{ version: string }>(sql`
    SELECT p.version FROM promotions p
    JOIN versions v ON v.model_type = p.model_type AND v.version = p.version AND v.retired_at IS NULL
    WHERE p.model_type = ${modelType} AND p.reverted_at IS NULL AND p.version <> ${champion} ORDER BY p.id DESC LIMIT 1`);
  return row?.version ?? null;
}

export async function wasPromoted(db: Reader, modelType: string, version: string): Promise<boolean> {
  const row = await db.get(
    sql`SELECT id FROM promotions WHERE model_type = ${modelType} AND version = ${version} LIMIT 1`,
  );
  return row !== undefined;
}

export function listNewestVersions(db: Reader, limit: number): Promise<VersionRow[]> {
  return db.all<VersionRow>(
    sql`SELECT * FROM versions WHERE retired_at IS NULL ORDER BY created_at DESC LIMIT ${limit}`,
  );
}

/** What was promoted and not taken back, each once, latest first, and whether the registry still has it. */
export async function listPromoted(
  db: Reader,
): Promise<{ kind: string; version: string; isKnown: boolean; isRetired: boolean }[]> {
  const rows = await db.all<{
    kind: string;
    version: string;
    known: number | string;
    retired: number | string;
  }>(sql`
    SELECT p.model_type AS kind, p.version, COUNT(v.version) AS known, COUNT(v.retired_at) AS retired FROM promotions p
    LEFT JOIN versions v ON v.model_type = p.model_type AND v.version = p.version
    WHERE p.reverted_at IS NULL GROUP BY p.model_type, p.version ORDER BY MAX(p.id) DESC`);
  return rows.map(({ kind, version, known, retired }) => ({
    kind,
    version,
    isKnown: Number(known) > 0,
    isRetired: Number(retired) > 0,
  }));
}

export async function insertPromotion(
  tx: Transaction,
  promotion: { modelType: string; version: string; at: string },
): Promise<void> {
  await tx.run(sql`
    INSERT INTO promotions (id, model_type, version, promoted_at)
    VALUES ((SELECT coalesce(max(id), 0) + 1 FROM promotions), ${promotion.modelType}, ${promotion.version}, ${promotion.at})`);
}

/** Takes back every promotion that came after the last one of `to`, which so becomes champion again. */
export async function revertPromotionsTo(
  tx: Transaction,
  modelType: string,
  to: string,
  at: string,
): Promise<void> {
  await tx.run(sql`
    UPDATE promotions SET reverted_at = ${at}
    WHERE model_type = ${modelType} AND reverted_at IS NULL AND id > (
      SELECT max(id) FROM promotions WHERE model_type = ${modelType} AND version = ${to} AND reverted_at IS NULL)`);
}
