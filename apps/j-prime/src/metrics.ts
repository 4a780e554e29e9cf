// The gauges of J-Prime, read when somebody scrapes.
import type { Arm, Outbox } from '@jarvis/contracts';
import { type Clock, type Meter, type Put, putOutbox, type PutObserved } from '@jarvis/runtime';
import type { Database } from '@jarvis/store';
import type { Room } from './leases/room.ts';
import type { LlmServer } from './llm/server.ts';
import type { Fleet } from './models/fleet.ts';
import type { ServedVersion } from './models/served-version.ts';
import type { Predictor } from './routing/predictor.ts';
import type { Shadow } from './routing/shadow.ts';
import { readOutbox } from './store/outbox.ts';

export interface PrimeMetricsOptions {
  readonly meter: Meter;
  readonly fleet: Fleet;
  readonly room: Room;
  readonly predictor: Predictor;
  readonly shadow: Shadow;
  /** null: none is configured. */
  readonly llm: LlmServer | null;
  readonly outbox: () => Promise<Outbox>;
}

export function addPrimeMetrics(options: PrimeMetricsOptions): void {
  const { meter, fleet, room, predictor, shadow, llm, outbox } = options;
  meter.read(async (put) => putOutbox(put, await outbox()));
  meter.read((put, putObserved) => {
    for (const { served, role } of fleet.list()) {
      const { name, state } = served;
      put('jarvis_served_version_info', { kind: name.modelType, version: name.version, role, state }, 1);
      putVersion(put, putObserved, { served, arm: role === 'candidate' ? 'candidate' : 'stable' });
    }
    put('jarvis_predictions_running', {}, predictor.running);
    for (const [outcome, requests] of Object.entries(shadow.counts))
      put('jarvis_shadow_requests_total', { outcome }, requests);
    if (llm !== null) putLlm(put, llm);
    put('jarvis_memory_lent', {}, room.lent ? 1 : 0);
  });
}

/** What a version has done since it came into memory: these series leave with it. */
function putVersion(
  put: Put,
  putObserved: PutObserved,
  { served, arm: now }: { served: ServedVersion; arm: Arm },
): void {
  const of = { kind: served.name.modelType, version: served.name.version };
  for (const [arm, { requests, failures, durations, batches }] of served.figures.byArm) {
    put('jarvis_version_requests_total', { ...of, arm }, requests);
    put('jarvis_version_failures_total', { ...of, arm }, failures);
    putObserved('jarvis_prediction_duration_seconds', { ...of, arm }, durations);
    putObserved('jarvis_prediction_batch_inputs', { ...of, arm }, batches);
  }
  put('jarvis_predictions_pending', { ...of, arm: now }, served.waiting);
  const { placed } = served;
  if (placed === null) return;
  const { place, costMs, thread } = placed;
  put('jarvis_served_version_cost_seconds', { ...of, place }, costMs / 1000);
  put('jarvis_served_version_restarts_total', of, thread?.restarts ?? 0);
}

function putLlm(put: Put, llm: LlmServer): void {
  const { state, awayMs } = llm.life;
  put('jarvis_prime_llm_state', { state }, 1);
  put('jarvis_prime_llm_requests_running', {}, llm.running);
  put('jarvis_prime_llm_requests_pending', {}, llm.held);
  put('jarvis_prime_llm_away_seconds_total', {}, awayMs / 1000);
  for (const outcome of ['ready', 'failed'] as const)
    put('jarvis_prime_llm_loads_total', { outcome }, llm.loads[outcome]);
}

export async function outboxOf(db: Database, clock: Clock): Promise<Outbox> {
  const { pending, oldestAt, refused } = await readOutbox(db);
  const ageMs = oldestAt === null ? null : Math.max(0, clock.now() - Date.parse(oldestAt));
  return { pending, oldest_age_seconds: ageMs === null ? null : ageMs / 1000, refused };
}
