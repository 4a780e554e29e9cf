// What both engines store and answer: text, numbers, null. Booleans become 0 and 1; what only one of them would take
// is refused by both, so that a program that works on one works on the other.
import { CodedError } from '@jarvis/contracts';

export type StoredValue = string | number | null;

/** Throws `invalid_request` for text with a NUL, which Postgres cannot hold; TypeError for what has to be encoded first. */
export function valuesOf(values: readonly unknown[]): StoredValue[] {
  return values.map((value) => {
    if (typeof value === 'boolean') return value ? 1 : 0;
    if (value === null) return null;
    if (typeof value === 'string') {
      if (value.includes('\0'))
        throw new CodedError('invalid_request', 'text with a NUL character (U+0000) cannot be stored');
      return value;
    }
    if (typeof value === 'number') {
      if (Number.isFinite(value)) return value;
      throw new TypeError(`cannot store ${value}: it is no number that both engines hold`);
    }
    throw new TypeError(`cannot store a ${typeof value}: encode it first`);
  });
}

/** A number that a JavaScript number would round is an error, not another number. */
export function unsafeNumber(cause?: unknown): CodedError {
  return new CodedError(
    'internal',
    'the store answered a whole number beyond 2^53, which would be rounded',
    {},
    { cause },
  );
}
