// Waits for a condition that another process brings about, looking again and again; the limit is for a test that hangs.
const LOOK_EVERY_MS = 20;
const LIMIT_MS = 30_000;

/** The first value of `look` that is neither null, undefined nor false. Throws after 30 s, saying what was waited for. */
export async function until<T>(
  what: string | (() => string),
  look: () => Promise<T> | T,
  limitMs = LIMIT_MS,
): Promise<NonNullable<T>> {
  const give = performance.now() + limitMs;
  for (;;) {
    const value = await look();
    if (value !== null && value !== undefined && value !== false) return value;
    if (performance.now() > give)
      throw new Error(`waited ${limitMs} ms for ${typeof what === 'string' ? what : what()}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}
