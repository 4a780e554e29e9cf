// How much a JARVIS Core has stored, and the last line that `--json` writes.
import type { Ended } from '../fixture.ts';
import type { Core } from '../core.ts';

interface Stats {
  readonly total: number;
  readonly by_kind: Readonly<Record<string, { readonly total: number; readonly trainable: number }>>;
}

export async function statsOf({ url }: Core): Promise<Stats> {
  return (await (await fetch(`${url}/api/experiences/stats`)).json()) as Stats;
}

export function endOf({ stdout }: Ended): Record<string, unknown> {
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Record<string, unknown>;
}
