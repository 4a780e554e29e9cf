// The routes as last heard, and which version answered last for each kind: what a restart goes on with.
import { type ModelType, type Routes, routesSchema } from '@jarvis/contracts';
import { type Database, sql } from '@jarvis/store';
import type { VersionName } from '../models/served-version.ts';

export async function saveRoutes(db: Database, routes: Routes): Promise<void> {
  await db.transaction('prime.routes.save', (tx) =>
    tx.run(sql`INSERT INTO known_routes (only_row, body) VALUES (1, ${JSON.stringify(routes)})
      ON CONFLICT (only_row) DO UPDATE SET body = excluded.body`),
  );
}

export async function knownRoutes(db: Database): Promise<Routes | null> {
  const row = await db.get<{ body: string }>(sql`SELECT body FROM known_routes`);
  return row === undefined ? null : routesSchema.parse(JSON.parse(row.body));
}

export async function saveLastServed(db: Database, name: VersionName): Promise<void> {
  await db.transaction('prime.last_served.save', (tx) =>
    tx.run(sql`INSERT INTO last_served (model_type, version, digest)
      VALUES (${name.modelType}, ${name.version}, ${name.digest})
      ON CONFLICT (model_type) DO UPDATE SET version = excluded.version, digest = excluded.digest`),
  );
}

export async function lastServed(db: Database): Promise<VersionName[]> {
  const rows = await db.all<{ model_type: ModelType; version: string; digest: string }>(
    sql`SELECT model_type, version, digest FROM last_served`,
  );
  return rows.map((row) => ({ modelType: row.model_type, version: row.version, digest: row.digest }));
}
