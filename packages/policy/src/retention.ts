// Which checkpoints of a run may be deleted: all but the newest few and those that somebody still needs.
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
