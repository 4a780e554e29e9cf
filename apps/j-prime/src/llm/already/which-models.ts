// Which models are loaded when an LLM is to come back.

export interface Wish {
  /** The `model` of the request that waits for it; null where none waits, or it names none. */
  readonly asked: string | null;
  /** Seen loaded last. */
  readonly remembered: readonly string[];
  /** In the server's order. */
  readonly listed: readonly string[];
}

/**
 * What the request names, for else the server would load that beside what we loaded; else what was there last, for that is
 * what people use; else the first in the list, so that memory is asked for before it is taken.
 */
export function modelsToBring({ asked, remembered, listed }: Wish): readonly string[] {
  const named = asked === null ? undefined : listed.find((name) => isNamedBy(name, asked));
  if (named !== undefined) return [named];
  const known = remembered.filter((name) => listed.includes(name));
  return known.length > 0 ? known : listed.slice(0, 1);
}

/** Ollama's names end with a tag, which may be left out where it is `latest`. */
function isNamedBy(name: string, asked: string): boolean {
  return name === asked || name === `${asked}:latest`;
}
