// Which version a session meets. Its place in [0, 1) is fixed by a hash of the rollout's salt and the session, so it
// keeps its version, and raising the weight only moves sessions toward the candidate (I6):
//   0 |--- candidate ---| weight ------------- stable -------------| 1
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import type { Arm } from '@jarvis/contracts';

const SESSION_HASH_BYTES = 8;

/** A session's place in [0, 1): the first 53 bits of SHA-256 of salt, NUL, session. */
export function sessionUnit(sessionId: string, salt: string): number {
  const view = new DataView(digestOf(sessionId, salt).buffer);
  const high32Bits = view.getUint32(0);
  const next21Bits = view.getUint32(4) >>> 11;
  return (high32Bits * 2 ** 21 + next21Bits) / 2 ** 53;
}

/** Who serves a session at this place while the candidate's weight is `weight` (0 to 1). */
export function assignArm(unit: number, weight: number): Arm {
  return unit < weight ? 'candidate' : 'stable';
}

/**
 * 16 hexadecimal characters that stand for a session inside one rollout without naming it. Taken from the other end of
 * the digest than the place, so they don't tell it.
 */
export function sessionHash(sessionId: string, salt: string): string {
  return bytesToHex(digestOf(sessionId, salt).slice(-SESSION_HASH_BYTES));
}

function digestOf(sessionId: string, salt: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(sha256(utf8ToBytes(`${salt}\0${sessionId}`)));
}
