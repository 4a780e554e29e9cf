// The gauges of J-Prime, read when somebody scrapes.
import type { Outbox } from '@jarvis/contracts';
import { type Clock, type Meter, putOutbox } from '@jarvis/runtime';
import type { Database } from '@jarvis/store';
import type { Room } from './leases/room.ts';
import type { Fleet } from './models/fleet.ts';
import type { Predictor } from './routing/predictor.ts';
import { readOutbox } from './store/outbox.ts';

export interface PrimeMetricsOptions {
  readonly meter: Meter;
  readonly fleet: Fleet;
  readonly room: Room;
  readonly predictor: Predictor;
  readonly outbox: () => Promise<Outbox>;
}

export function addPrimeMetrics({ meter, fleet, room, predictor, outbox }: PrimeMetricsOptions): void {
  meter.read(async (put) => putOutbox(put, await outbox()));
  meter.read((put) => {
    put('jarvis_predictions_running', {}, predictor.running);
    put('jarvis_memory_lent', {}, room.lent ? 1 : 0);
    for (const { served, role } of fleet.list()) {
      const { name, state } = served;
      put('jarvis_served_version_info', { kind: name.modelType, version: name.version, role, state }, 1);
    }
  });
}

export async function outboxOf(db: Database, clock: Clock): Promise<Outbox> {
  const { pending, oldestAt, refused } = await readOutbox(db);
  const ageMs = oldestAt === null ? null : Math.max(0, clock.now() - Date.parse(oldestAt));
  return { pending, oldest_age_seconds: ageMs === null ? null : ageMs / 1000, refused };
}
