// What happens to the services, for the display of the CLI. Who subscribes late is told the past first.
import type { ServiceName, ServiceState } from '@jarvis/contracts';
import type { StopRung } from '@jarvis/process';

export type Phase = 1 | 2 | 3;

export type SupervisorEvent =
  | { readonly type: 'phase_started'; readonly phase: Phase; readonly title: string }
  | {
      readonly type: 'phase_completed';
      readonly phase: Phase;
      readonly title: string;
      readonly elapsed_ms: number;
    }
  | {
      readonly type: 'service_state';
      readonly service: ServiceName;
      readonly from: ServiceState;
      readonly to: ServiceState;
      readonly detail: string;
      readonly pid: number | null;
    }
  | {
      readonly type: 'service_unreachable';
      readonly service: ServiceName;
      readonly url: string;
      readonly detail: string;
    }
  | {
      readonly type: 'service_gave_up';
      readonly service: ServiceName;
      readonly restarts: number;
      readonly log_path: string;
      readonly log_tail: readonly string[];
    }
  | {
      readonly type: 'verified';
      readonly operational: number;
      readonly total: number;
      readonly problems: readonly string[];
    }
  | { readonly type: 'failed'; readonly message: string }
  | { readonly type: 'stopping' }
  | {
      readonly type: 'service_stopped';
      readonly service: ServiceName;
      readonly how: StopRung | 'left_running';
      readonly elapsed_ms: number;
    }
  | { readonly type: 'stopped'; readonly left: readonly string[] };

export type Listener = (event: SupervisorEvent) => void;

/** A crash loop over weeks must not fill the memory: older events are forgotten. */
const eventsKeptMax = 1000;

export class Events {
  readonly #past: SupervisorEvent[] = [];
  readonly #listeners = new Set<Listener>();

  /** Calls `listener` for what was and what comes; returns how to end that. */
  subscribe(listener: Listener): () => void {
    for (const event of this.#past) listener(event);
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  emit(event: SupervisorEvent): void {
    this.#past.push(event);
    if (this.#past.length > eventsKeptMax) this.#past.shift();
    for (const listener of this.#listeners) listener(event);
  }
}
