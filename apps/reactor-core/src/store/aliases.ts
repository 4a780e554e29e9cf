// Aliases: names that point to a version of a kind. People's own are rows; those that rollouts keep are read off from
// promotions and the rollout under way, so that they can't be wrong.
import { type KeptAlias, type ModelAlias, type ModelType, versionSchema } from '@jarvis/contracts';
import { type Reader, sql, type Transaction } from '@jarvis/store';
import { findActiveRollout } from './deployments.ts';
import { championBefore, championOf, findVersion, type VersionRow } from './versions.ts';

const READ_KEPT: Readonly<Record<KeptAlias, (db: Reader, modelType: string) => Promise<string | null>>> = {
  stable: championOf,
  champion: championOf,
  previous: championBefore,
  candidate: candidateOf,
  challenger: candidateOf,
};
/** The kept ones under the names by which they are listed. */
const LISTED_KEPT = ['stable', 'previous', 'candidate'] as const satisfies readonly KeptAlias[];

async function candidateOf(db: Reader, modelType: string): Promise<string | null> {
  return (await findActiveRollout(db, modelType))?.model_version ?? null;
}

export function isKeptAlias(name: string): name is KeptAlias {
  return Object.hasOwn(READ_KEPT, name);
}

/** By a version's number or any alias of it; retired ones are not found. */
export async function findNamed(
  db: Reader,
  modelType: string,
  name: string,
): Promise<VersionRow | undefined> {
  if (versionSchema.safeParse(name).success) return findVersion(db, modelType, name);
  const version = isKeptAlias(name)
    ? await READ_KEPT[name](db, modelType)
    : ((await findOwnAlias(db, modelType, name))?.version ?? null);
  return version === null ? undefined : findVersion(db, modelType, version);
}

export function findOwnAlias(
  db: Reader,
  modelType: string,
  alias: string,
): Promise<{ version: string } | undefined> {
  return db.get(sql`SELECT version FROM aliases WHERE model_type = ${modelType} AND alias = ${alias}`);
}

/** The kept ones that point somewhere, then people's own by name. */
export async function listAliases(db: Reader, modelType: ModelType): Promise<ModelAlias[]> {
  const kept = await Promise.all(
    LISTED_KEPT.map(async (alias) => ({ alias, version: await READ_KEPT[alias](db, modelType) })),
  );
  const own = await db.all<{ alias: string; version: string }>(
    sql`SELECT alias, version FROM aliases WHERE model_type = ${modelType} ORDER BY alias`,
  );
  return [
    ...kept.flatMap(({ alias, version }) =>
      version === null ? [] : [{ model_type: modelType, alias, version, kept: true }],
    ),
    ...own.map(({ alias, version }) => ({ model_type: modelType, alias, version, kept: false })),
  ];
}

export async function countOwnAliases(db: Reader, modelType: string): Promise<number> {
  const row = await db.get<{ count: number | string }>(
    sql`SELECT count(*) AS count FROM aliases WHERE model_type = ${modelType}`,
  );
  return Number(row?.count ?? 0);
}

export async function setAlias(
  tx: Transaction,
  to: { modelType: string; alias: string; version: string; at: string },
): Promise<void> {
  await tx.run(sql`
    INSERT INTO aliases (model_type, alias, version, set_at)
    VALUES (${to.modelType}, ${to.alias}, ${to.version}, ${to.at})
    ON CONFLICT (model_type, alias) DO UPDATE SET version = excluded.version, set_at = excluded.set_at`);
}

/** False when there is none. */
export async function removeAlias(tx: Transaction, modelType: string, alias: string): Promise<boolean> {
  return (await tx.run(sql`DELETE FROM aliases WHERE model_type = ${modelType} AND alias = ${alias}`)) === 1;
}
