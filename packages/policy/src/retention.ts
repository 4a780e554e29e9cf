// What may be deleted: checkpoints of a run and versions of a kind, all but the newest few and those that somebody still
// needs; and the bytes that no version is made of any more.
import { invariant } from '@jarvis/contracts';

export interface StoredCheckpoint {
  readonly path: string;
  readonly epoch: number;
  /** A trainer resumes from it, or a version was made from it. */
  readonly inUse: boolean;
  /** Its files match its manifest. A broken one is set aside by others, and doesn't count as a newest one. */
  readonly verified: boolean;
}

/** Paths that may go, oldest first: verified, not in use, and not among the `kept` newest verified ones. */
export function expendableCheckpoints(
  checkpoints: readonly StoredCheckpoint[],
  { kept }: { readonly kept: number },
): string[] {
  invariant(Number.isInteger(kept) && kept >= 1, 'at least the newest checkpoint is kept');
  return checkpoints
    .filter((checkpoint) => checkpoint.verified)
    .toSorted((a, b) => b.epoch - a.epoch)
    .slice(kept)
    .filter((checkpoint) => !checkpoint.inUse)
    .map((checkpoint) => checkpoint.path)
    .reverse();
}

export interface StoredVersions {
  /** Of one kind, by number, highest first. */
  readonly versions: readonly string[];
  /** What everybody is served, and what a rollback goes to. */
  readonly champion: string | null;
  readonly rollbackTarget: string | null;
  /** Candidates and stable versions of the deployments that have not ended. */
  readonly deploying: readonly string[];
  /** What people's aliases point to. */
  readonly aliased: readonly string[];
}

/** Versions that may be retired, oldest first: not needed by anybody, and not among the `kept` highest. */
export function expendableVersions(
  { versions, champion, rollbackTarget, deploying, aliased }: StoredVersions,
  { kept }: { readonly kept: number },
): string[] {
  invariant(Number.isInteger(kept) && kept >= 1, 'at least the newest version is kept');
  const needed = new Set([champion, rollbackTarget, ...deploying, ...aliased]);
  return versions
    .slice(kept)
    .filter((version) => !needed.has(version))
    .reverse();
}

/** Blobs that may go: of those that may be loose, the ones that no version that is kept names. */
export function expendableBlobs(loose: readonly string[], named: ReadonlySet<string>): string[] {
  return loose.filter((sha256) => !named.has(sha256));
}
