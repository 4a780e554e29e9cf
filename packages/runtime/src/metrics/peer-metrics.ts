// What a service knows of the others, as gauges: the same that its health says.
import { BREAKER_STATES, type Peer } from '@jarvis/contracts';
import type { Meter } from './meter.ts';

export function meterPeers(meter: Meter, peers: () => Readonly<Record<string, Peer>>): void {
  meter.read((put) => {
    for (const [peer, seen] of Object.entries(peers())) {
      put('jarvis_peer_reachable', { peer }, seen.reachable ? 1 : 0);
      put('jarvis_peer_consecutive_failures', { peer }, seen.consecutive_failures ?? 0);
      for (const state of BREAKER_STATES)
        put('jarvis_peer_breaker_state', { peer, state }, seen.breaker === state ? 1 : 0);
    }
  });
}
