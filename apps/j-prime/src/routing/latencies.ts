// How long the stable version of each kind takes to answer, and which answers of a rollout are slow beside that.
import type { ModelType } from '@jarvis/contracts';
import { slowLimitMs } from '@jarvis/policy';
import type { Trial } from '../models/fleet.ts';
import type { ServedVersion } from '../models/served-version.ts';

/** The latest that are kept of each kind. */
const LATENCIES_KEPT = 1_000;

interface Latest {
  readonly served: ServedVersion;
  readonly ms: number[];
  next: number;
}

export class Latencies {
  readonly #latest = new Map<ModelType, Latest>();
  /** Of the rollout under way: fixed once it is known. */
  readonly #frozen = new Map<ModelType, { readonly deploymentId: string; readonly limitMs: number }>();

  /** Notes that the stable version of a kind took so long. */
  note(served: ServedVersion, ms: number): void {
    const kind = served.name.modelType;
    let latest = this.#latest.get(kind);
    if (latest?.served !== served) {
      latest = { served, ms: [], next: 0 };
      this.#latest.set(kind, latest);
    }
    latest.ms[latest.next] = ms;
    latest.next = (latest.next + 1) % LATENCIES_KEPT;
  }

  /** False as long as too little is known of the stable version. */
  isSlow(kind: ModelType, trial: Trial, ms: number): boolean {
    const limitMs = this.#limitOf(kind, trial);
    return limitMs !== null && ms > limitMs;
  }

  #limitOf(kind: ModelType, { deploymentId }: Trial): number | null {
    const frozen = this.#frozen.get(kind);
    if (frozen?.deploymentId === deploymentId) return frozen.limitMs;
    const limitMs = slowLimitMs(this.#latest.get(kind)?.ms ?? []);
    if (limitMs !== null) this.#frozen.set(kind, { deploymentId, limitMs });
    return limitMs;
  }
}
