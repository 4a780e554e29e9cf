// What those who took a lock saw, held against what a mutex is.

export interface GrantSeen {
  readonly holder: string;
  readonly token: number;
  /** When it was asked for. */
  readonly sentMs: number;
  /** From its first act to its last; null when it came too late for any. */
  readonly fromMs: number | null;
  readonly toMs: number | null;
}

/** In sentences what no mutex does: two that act at once, a token given twice, a later grant with a lower token. */
export function brokenMutex(history: readonly GrantSeen[]): string[] {
  return [...overlaps(history), ...twice(history), ...backwards(history)];
}

function overlaps(history: readonly GrantSeen[]): string[] {
  const acting = history
    .flatMap((g) => (g.fromMs === null || g.toMs === null ? [] : [{ ...g, fromMs: g.fromMs, toMs: g.toMs }]))
    .sort((a, b) => a.fromMs - b.fromMs);
  return acting.flatMap((next, i) => {
    const before = acting.slice(0, i).find((g) => g.toMs >= next.fromMs);
    return before === undefined ? [] : [`${said(before)} and ${said(next)} hold it at once`];
  });
}

function twice(history: readonly GrantSeen[]): string[] {
  const seen = new Set<number>();
  return history.flatMap((g) => {
    if (seen.has(g.token)) return [`${said(g)}: that token was given before`];
    seen.add(g.token);
    return [];
  });
}

function backwards(history: readonly GrantSeen[]): string[] {
  return history.flatMap((later) =>
    history
      .filter((g) => g.fromMs !== null && g.fromMs < later.sentMs && g.token > later.token)
      .map((g) => `${said(later)} was asked for after ${said(g)} was there`),
  );
}

function said({ holder, token }: GrantSeen): string {
  return `${holder} (token ${token})`;
}
