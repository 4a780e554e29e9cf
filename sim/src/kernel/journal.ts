// What has happened: every lifecycle edge and every fault counted, a sentence for each, and one number over all of it.
import { LIFECYCLES, mayGo } from '@jarvis/contracts';

export const WATCHED = ['job', 'run', 'slot lock', 'memory lease'] as const;
export type Watched = (typeof WATCHED)[number];

const LAST_LINES_MAX = 60;
const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

export interface JournalOptions {
  readonly nowMs: () => number;
  /** Called with every line; unset: only the last lines are kept. */
  readonly print?: ((line: string) => void) | undefined;
}

export class Journal {
  readonly edges = new Map<string, number>();
  readonly faults = new Map<string, number>();
  transitions = 0;
  #hash = FNV_OFFSET;
  readonly #last: string[] = [];
  readonly #options: JournalOptions;

  constructor(options: JournalOptions) {
    this.#options = options;
  }

  /** The same seed gives the same hash. */
  get hash(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, '0');
  }

  get lastLines(): readonly string[] {
    return this.#last;
  }

  say(sentence: string): void {
    const line = `${clockText(this.#options.nowMs())}  ${sentence}`;
    for (let i = 0; i < line.length; i += 1)
      this.#hash = Math.imul(this.#hash ^ line.charCodeAt(i), FNV_PRIME);
    this.#last.push(line);
    if (this.#last.length > LAST_LINES_MAX) this.#last.shift();
    this.#options.print?.(line);
  }

  fault(kind: string, sentence: string): void {
    count(this.faults, kind);
    this.say(`! ${kind}: ${sentence}`);
  }

  /** One edge of a lifecycle, taken by `name`. */
  edge(of: Watched, name: string, move: { from: string; to: string; why: string }): void {
    this.transitions += 1;
    count(this.edges, `${of}: ${move.from} -> ${move.to}`);
    this.say(`${of} ${name}: ${move.from} -> ${move.to}${move.why === '' ? '' : ` (${move.why})`}`);
  }
}

export function count(counts: Map<string, number>, key: string, by = 1): void {
  counts.set(key, (counts.get(key) ?? 0) + by);
}

/** Every edge that the tables have, as the journal names them. */
export function allEdges(): string[] {
  return WATCHED.flatMap((of) =>
    Object.entries(LIFECYCLES[of] as Readonly<Record<string, readonly string[]>>).flatMap(([from, targets]) =>
      targets.map((to) => `${of}: ${from} -> ${to}`),
    ),
  );
}

export function isEdge(of: Watched, from: string, to: string): boolean {
  return mayGo(LIFECYCLES[of] as Readonly<Record<string, readonly string[]>>, from, to);
}

function clockText(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  const pad = (n: number, digits = 2): string => String(n).padStart(digits, '0');
  return `${pad(Math.floor(seconds / 3600))}:${pad(Math.floor(seconds / 60) % 60)}:${pad(seconds % 60)}.${pad(Math.floor(ms) % 1000, 3)}`;
}
