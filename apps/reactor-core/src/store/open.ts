// Opens what Reactor Core keeps, under locks that make this process its only writer.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Clock,
  type Config,
  type Logger,
  type Meter,
  type Part,
  type Random,
  type Service,
  stopLost,
  transactionCounter,
} from '@jarvis/runtime';
import { createEventLog, type Database, type EventLog, openDatabase, takeHomeLock } from '@jarvis/store';
import { storePlace } from './place.ts';

interface StoreNeeds {
  readonly config: Config;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly meter: Meter;
}

interface Life {
  readonly parts: Part[];
  readonly service: Service;
}

export interface Store {
  readonly db: Database;
  readonly events: EventLog;
}

/** Makes the folders that are missing. Each opened thing is added to `parts`. Throws `service_unavailable` when another Reactor Core has it. */
export async function openStore(needs: StoreNeeds, life: Life): Promise<Store> {
  const { config, clock, random, logger, meter } = needs;
  const { paths } = config;
  const { parts, service } = life;
  for (const folder of [paths.reactor, paths.runs, paths.registry, paths.data])
    await mkdir(folder, { recursive: true, mode: 0o700 });
  const lock = takeHomeLock(join(paths.reactor, 'lock.db'), 'Reactor Core');
  parts.push({ name: 'home lock', stop: async () => lock.release() });
  const onLost = (): void => stopLost(service, logger);
  const db = await openDatabase({
    ...storePlace(config),
    clock,
    random,
    log: logger,
    onLost,
    onTransaction: transactionCounter(meter),
  });
  parts.push({ name: 'store', stop: () => db.close() });
  return { db, events: createEventLog(db) };
}
