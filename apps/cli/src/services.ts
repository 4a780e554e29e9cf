// Clients of the three services, as the configuration places them.
import type { ServiceName } from '@jarvis/contracts';
import {
  type Config,
  createServiceClient,
  readConfigOrExit,
  type ServiceClient,
  systemClock,
} from '@jarvis/runtime';
import { SERVICE_TITLES } from '@jarvis/supervisor';
import type { World } from './world.ts';

/** A person waits: no retries, an answer or an error within a few seconds. */
const TIMEOUT_MS = 5_000;

/** Calls `use` with a client and closes it after. */
export async function withService<T>(
  config: Config,
  service: ServiceName,
  use: (client: ServiceClient) => Promise<T>,
): Promise<T> {
  const client = createServiceClient({
    name: SERVICE_TITLES[service],
    baseUrl: config.urls[service],
    timeoutMs: TIMEOUT_MS,
    retries: 0,
    retryDelayMs: 0,
    token: config.env.JARVIS_API_TOKEN,
    clock: systemClock,
  });
  try {
    return await use(client);
  } finally {
    await client.close();
  }
}

/** Of Reactor Core, where the configuration says that it is. */
export function withReactor<T>(world: World, use: (client: ServiceClient) => Promise<T>): Promise<T> {
  return withService(readConfigOrExit(world), 'reactor-core', use);
}
