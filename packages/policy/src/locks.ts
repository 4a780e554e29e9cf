// What becomes of a request for a named lock. A request with an id has at most one grant, ever: sent again while that
// holds it gets the same one, sent again after it has ended it is refused. So a copy that arrives late takes nothing.

export interface LockView {
  /** A training slot: its holder is a job, and only the coordinator frees it, never time alone. */
  readonly isSlot: boolean;
  /** null: free. */
  readonly holder: string | null;
  /** Of the request that it was granted to; null when that had none. */
  readonly requestId: string | null;
  /** The highest ever given. */
  readonly token: number;
  readonly expiresAtMs: number | null;
  /** For how long it was asked for; null when that is not known. */
  readonly ttlMs: number | null;
}

export interface LockRequest {
  readonly holder: string;
  readonly requestId: string | null;
  readonly nowMs: number;
  readonly ttlMs: number;
  /** Nobody who came earlier waits. */
  readonly inTurn: boolean;
}

export type LockDecision =
  /** `replaces`: the request whose grant is over and ends by this one. */
  | {
      readonly kind: 'grant';
      readonly token: number;
      readonly ttlMs: number;
      readonly replaces: string | null;
    }
  | { readonly kind: 'repeat'; readonly token: number; readonly ttlMs: number }
  | { readonly kind: 'held'; readonly expiresAtMs: number | null }
  /** The grant of this request is over. */
  | { readonly kind: 'ended' }
  /** Another holder uses this request's id. */
  | { readonly kind: 'conflict' };

export function decideLock(lock: LockView, request: LockRequest): LockDecision {
  const { nowMs, requestId } = request;
  if (lock.holder !== null) {
    const isOver = isLockOver(lock, nowMs);
    const isOwnId = requestId !== null && requestId === lock.requestId;
    if (isOwnId && lock.holder !== request.holder) return { kind: 'conflict' };
    if (isOwnId && isOver) return { kind: 'ended' };
    if (!isOver && isSameGrant(lock, request)) return repeat(lock, request);
    if (!isOver) return { kind: 'held', expiresAtMs: expiryAfterJump(lock, nowMs) };
  }
  if (!request.inTurn) return { kind: 'held', expiresAtMs: lock.expiresAtMs };
  const replaces = lock.holder === null ? null : lock.requestId;
  return { kind: 'grant', token: lock.token + 1, ttlMs: request.ttlMs, replaces };
}

/** Whether a token still holds it, so that it may be renewed. A slot's holder may renew late, as long as nobody took it. */
export function mayRenewLock(
  lock: LockView,
  held: { readonly holder: string; readonly token: number },
  nowMs: number,
): boolean {
  return lock.holder === held.holder && lock.token === held.token && !isLockOver(lock, nowMs);
}

export function isLockOver(
  { isSlot, expiresAtMs }: Pick<LockView, 'isSlot' | 'expiresAtMs'>,
  nowMs: number,
): boolean {
  return !isSlot && (expiresAtMs ?? 0) <= nowMs;
}

/** By the request's id; without one by the holder, which a slot's always is: a job. */
function isSameGrant(lock: LockView, { holder, requestId }: LockRequest): boolean {
  return lock.holder === holder && (lock.isSlot || lock.requestId === requestId);
}

function repeat(lock: LockView, { requestId, ttlMs }: LockRequest): LockDecision {
  return { kind: 'repeat', token: lock.token, ttlMs: requestId === null ? ttlMs : (lock.ttlMs ?? ttlMs) };
}

/** Never further away than its TTL: after the clock was set back, a silent holder would else block for as long as that. */
function expiryAfterJump({ expiresAtMs, ttlMs }: LockView, nowMs: number): number | null {
  return expiresAtMs === null || ttlMs === null ? expiresAtMs : Math.min(expiresAtMs, nowMs + ttlMs);
}
