// `GET /api/invariants`: what must never break, held against what is stored and what lies in the registry.
import { type InvariantReport, invariantReportSchema } from '@jarvis/contracts';
import { checkReactorInvariants } from '@jarvis/policy';
import { FileAudit, type HttpServer } from '@jarvis/runtime';
import type { Database } from '@jarvis/store';
import type { Blobs } from './registry/blobs.ts';
import { readStoredFacts } from './store/invariants.ts';

/** A few small models; what is not read this time is read another time. */
const READ_BYTES_MAX = 64 * 1024 * 1024;

export interface InvariantRoutesOptions {
  readonly db: Database;
  readonly blobs: Blobs;
  /** MAX_CONCURRENT_TRAINING_JOBS. */
  readonly slots: number;
}

export function addInvariantRoutes(server: HttpServer, { db, blobs, slots }: InvariantRoutesOptions): void {
  const audit = new FileAudit(READ_BYTES_MAX);
  const schema = {
    summary: 'Which invariants were checked on what is stored, and which are broken',
    response: { 200: invariantReportSchema },
  };
  // None of the files is removed between the reading of its name and of its bytes.
  server.get('/api/invariants', { schema }, () => blobs.using(check));
  async function check(): Promise<InvariantReport> {
    // In one transaction: read one after another, a write in between would look like a break. Blobs never change.
    const { versionFiles, ...stored } = await db.transaction('reactor.invariants.read', readStoredFacts);
    const promised = versionFiles.map((file) => ({ ...file, path: blobs.path(file.sha256) }));
    const { found, note } = await audit.look(promised);
    const files = promised.map(({ whose, bytes, sha256, path }) => ({
      whose,
      wantedBytes: bytes,
      wantedSha256: sha256,
      foundBytes: found.get(path)?.bytes ?? null,
      foundSha256: found.get(path)?.sha256 ?? null,
    }));
    return checkReactorInvariants({ ...stored, slotsAllowed: slots, files, notes: [note] });
  }
}
