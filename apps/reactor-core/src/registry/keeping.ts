// Retires the versions that nobody needs and removes the files that no version is made of any more.
//   retire: one transaction, in which the files may be loose       collect: file after file, then forget that it was loose
// After a crash at any step the next look goes on from what is stored: a blob stays loose until its file is gone.
import { type ModelType } from '@jarvis/contracts';
import { expendableBlobs, expendableVersions } from '@jarvis/policy';
import { type Clock, isoNow, type Logger, type Loop, startLoop } from '@jarvis/runtime';
import type { Database } from '@jarvis/store';
import {
  forgetLoose,
  listLoose,
  readNamedBlobs,
  readStoredVersions,
  retireVersion,
} from '../store/retention.ts';
import { countVersions, findVersion } from '../store/versions.ts';
import type { Blobs } from './blobs.ts';

const LOOK_INTERVAL_MS = 60_000;
/** In one look; what is left goes with the next. */
const RETIRED_MAX = 100;
const COLLECTED_MAX = 500;

export interface KeepingOptions {
  readonly db: Database;
  readonly blobs: Blobs;
  readonly clock: Clock;
  readonly logger: Logger;
  /** MODEL_VERSIONS_KEPT. */
  readonly kept: number;
}

export function startKeeping(options: KeepingOptions): Loop {
  const { clock, logger } = options;
  return startLoop({
    name: 'retention of versions',
    intervalMs: LOOK_INTERVAL_MS,
    clock,
    logger,
    run: () => lookAtRegistry(options),
  });
}

export async function lookAtRegistry(options: KeepingOptions): Promise<void> {
  for (const { model_type } of await countVersions(options.db)) await retire(options, model_type);
  await collect(options);
}

/** Decided and done in one transaction: nobody can come to need a version in between. */
async function retire({ db, clock, logger, kept }: KeepingOptions, kind: ModelType): Promise<void> {
  if (expendableVersions(await readStoredVersions(db, kind), { kept }).length === 0) return;
  await db.transaction('reactor.version.retire', async (tx) => {
    const expendable = expendableVersions(await readStoredVersions(tx, kind), { kept }).slice(0, RETIRED_MAX);
    for (const version of expendable) {
      const row = await findVersion(tx, kind, version);
      if (row !== undefined) await retireVersion(tx, row, isoNow(clock));
    }
    tx.afterCommit(() =>
      logger.info({ kind, versions: expendable }, 'versions that nobody needs were retired'),
    );
  });
}

/** Does nothing while files are in use or taken in: a file that is there already may be about to be named. */
async function collect({ db, blobs }: KeepingOptions): Promise<void> {
  await blobs.alone(async () => {
    const loose = await listLoose(db, COLLECTED_MAX);
    if (loose.length === 0) return;
    for (const sha256 of expendableBlobs(loose, await readNamedBlobs(db))) await blobs.remove(sha256);
    await db.transaction('reactor.blob.forget', (tx) => forgetLoose(tx, loose));
  });
}
