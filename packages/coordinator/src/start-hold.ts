// While Reactor Core refuses whatever is sent to it (its slot is not free yet, its disk is full), nothing else is sent:
// each waiting job in turn would take the slot, be refused, and go back.
const HOLD_MAX_MS = 60_000;

export class StartHold {
  #refusals = 0;
  #untilMs = 0;
  #reason = '';

  /** Answers how long nothing is started now, in ms: as long as it asks for, and twice as long at each refusal in a row. */
  refused({ reason, retryAfterMs }: { reason: string; retryAfterMs: number }, nowMs: number): number {
    const waitMs = Math.min(retryAfterMs * 2 ** this.#refusals, Math.max(HOLD_MAX_MS, retryAfterMs));
    this.#refusals += 1;
    this.#untilMs = nowMs + waitMs;
    this.#reason = reason;
    return waitMs;
  }

  started(): void {
    this.#refusals = 0;
    this.#untilMs = 0;
  }

  /** Why nothing is started now; null when there is no reason. */
  reason(nowMs: number): string | null {
    const leftMs = this.#untilMs - nowMs;
    // A clock that was set back must not hold for longer than it was meant to.
    if (leftMs <= 0 || leftMs > HOLD_MAX_MS) return null;
    return `Reactor Core can start nothing now (${this.#reason}); it is asked again at ${new Date(this.#untilMs).toISOString()}`;
  }
}
