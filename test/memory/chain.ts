// What the heavy trainer learns: a chain of hashes, of which each link needs the one before.
import { createHash } from 'node:crypto';

const HASHES_PER_STEP = 4_000;
export const STEPS_PER_EPOCH = 10;
export const CHAIN_START = 'begin';

export function nextLink(link: string): string {
  let hash = link;
  for (let i = 0; i < HASHES_PER_STEP; i++) hash = createHash('sha256').update(hash).digest('hex');
  return hash;
}

/** SHA-256 of what a training makes that nothing disturbs. */
export function undisturbedDigest(epochs: number): string {
  let link = CHAIN_START;
  for (let step = 0; step < epochs * STEPS_PER_EPOCH; step++) link = nextLink(link);
  return createHash('sha256').update(link).digest('hex');
}
