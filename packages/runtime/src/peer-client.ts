// The client of another of the three services, as this one is configured.
import type { ServiceName } from '@jarvis/contracts';
import type { Clock } from './clock.ts';
import type { Config } from './config.ts';
import type { Meter } from './metrics/meter.ts';
import { createServiceClient, type ServiceClient } from './service-client.ts';

export interface PeerClientOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly meter: Meter;
}

/** @param name as it is told to a person */
export function createPeerClient(
  name: string,
  peer: ServiceName,
  { config, clock, meter }: PeerClientOptions,
): ServiceClient {
  const { env, urls } = config;
  return createServiceClient({
    name,
    baseUrl: urls[peer],
    timeoutMs: env.REACTOR_API_TIMEOUT * 1000,
    retries: env.REACTOR_API_RETRIES,
    retryDelayMs: env.REACTOR_RETRY_DELAY * 1000,
    token: env.JARVIS_API_TOKEN,
    clock,
    metered: { meter, peer },
  });
}
