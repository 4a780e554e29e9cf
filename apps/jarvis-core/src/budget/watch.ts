// The look that is taken every RESOURCE_CHECK_INTERVAL: who is there, which runs live, what memory holds; all of it
// goes into the coordinator's inbox.
import { runsSchema, type Run } from '@jarvis/contracts';
import type { Coordinator } from '@jarvis/coordinator';
import type { MachineUse } from '@jarvis/policy';
import { readMachineUse } from '@jarvis/process';
import { type Clock, type Logger, type Loop, type ServiceClient, startLoop } from '@jarvis/runtime';
import { measureMemory, type MeasurementOptions, type Peers, probePeers } from './measurement.ts';

export interface WatchOptions extends MeasurementOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly coordinator: Coordinator;
  readonly intervalMs: number;
  /** Told at each look whether somebody is at the machine. */
  readonly onUse: (use: MachineUse) => void;
}

/** While a peer that belongs to the system has not been seen, it is looked for more often: a start should not wait for an interval. */
const UNSEEN_INTERVAL_MS = 100;

export interface Watch {
  readonly peers: () => Peers;
  /** Takes a look soon. */
  wake(): void;
  stop(): Promise<void>;
}

export function watchResources(options: WatchOptions): Watch {
  let peers: Peers = { prime: null, reactor: null };
  let othersBytes: number | null = null;
  const look = async (signal: AbortSignal): Promise<void> => {
    peers = await probePeers(options);
    const runs = await liveRuns(options.reactor);
    if (runs === null)
      options.coordinator.post({ type: 'reactor_away', reason: reactorAway(options.reactor) });
    else options.coordinator.post({ type: 'runs_observed', runs });
    options.onUse(await readMachineUse());
    const memory = await measureMemory(options, peers, runs ?? [], othersBytes);
    othersBytes = memory.othersBytes;
    options.coordinator.post({ type: 'measured', memory });
    const unseen =
      (options.prime !== null && peers.prime === null) ||
      (options.reactor !== null && peers.reactor === null);
    if (!unseen) return;
    await options.clock.sleep(Math.min(UNSEEN_INTERVAL_MS, options.intervalMs), signal);
    loop.wake();
  };
  const loop: Loop = startLoop({
    name: 'resources',
    intervalMs: options.intervalMs,
    clock: options.clock,
    logger: options.logger,
    run: look,
  });
  return { peers: () => peers, wake: () => loop.wake(), stop: () => loop.stop() };
}

async function liveRuns(reactor: ServiceClient | null): Promise<readonly Run[] | null> {
  if (reactor === null) return null;
  return reactor.get('/api/training/jobs?live=true', runsSchema, { once: true }).then(
    (answer) => answer.runs,
    () => null,
  );
}

function reactorAway(reactor: ServiceClient | null): string {
  return reactor === null
    ? 'Reactor Core is switched off (REACTOR_CORE_ENABLED)'
    : `Reactor Core is away: ${reactor.reachability().detail}`;
}
