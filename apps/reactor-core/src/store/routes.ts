// The routes as they were published last: the newest event of their stream.
import type { Routes } from '@jarvis/contracts';
import { type Reader, sql } from '@jarvis/store';

export const ROUTES_STREAM = 'routes';
export const NO_ROUTES: Routes = { revision: 0, routes: [] };

export async function newestRoutes(reader: Reader): Promise<Routes> {
  const row = await reader.get<{ data: string }>(
    sql`SELECT data FROM events WHERE stream = ${ROUTES_STREAM} ORDER BY seq DESC LIMIT 1`,
  );
  return row === undefined ? NO_ROUTES : (JSON.parse(row.data) as Routes);
}
