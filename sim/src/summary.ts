// What many seeds came to.
import { allEdges, count } from './kernel/journal.ts';
import type { Outcome } from './simulate.ts';

export class Summary {
  readonly edges = new Map<string, number>();
  readonly faults = new Map<string, number>();
  #seeds = 0;
  #jobs = 0;
  #transitions = 0;

  add(outcome: Outcome): void {
    this.#seeds += 1;
    this.#jobs += outcome.jobs;
    this.#transitions += outcome.transitions;
    for (const [edge, n] of outcome.edges) count(this.edges, edge, n);
    for (const [kind, n] of outcome.faults) count(this.faults, kind, n);
  }

  /** Edges of the lifecycles that nothing took. */
  get missing(): string[] {
    return allEdges().filter((edge) => !this.edges.has(edge));
  }

  lines(seconds: number): string[] {
    const rate = this.#seeds / Math.max(seconds, 0.001);
    const row = (name: string, n: number): string => `  ${String(n).padStart(9)}  ${name}`;
    return [
      `${this.#seeds} seeds, ${this.#jobs} jobs, ${this.#transitions} transitions, ${rate.toFixed(1)} seeds a second`,
      'edges taken:',
      ...allEdges().map((edge) => row(edge, this.edges.get(edge) ?? 0)),
      'faults:',
      ...[...this.faults].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([kind, n]) => row(kind, n)),
    ];
  }
}
