// Measures this host: the process trees of the three services and of each trainer, and what everybody else uses.
import {
  BYTES_PER_GB,
  type Health,
  healthSchema,
  primeResourcesSchema,
  type Run,
  type ServiceName,
} from '@jarvis/contracts';
import type { MemoryView } from '@jarvis/policy';
import { readMachineMemory, readTrees } from '@jarvis/process';
import type { Clock, ServiceClient } from '@jarvis/runtime';

const PROBE_TIMEOUT_MS = 2_000;

export interface MeasurementOptions {
  readonly clock: Clock;
  readonly ownPid: number;
  readonly prime: ServiceClient | null;
  readonly reactor: ServiceClient | null;
  /** null: what the machine or the cgroup has. */
  readonly budgetBytes: number | null;
  readonly safetyBytes: number;
}

export interface Peers {
  readonly prime: Health | null;
  readonly reactor: Health | null;
}

export async function probePeers(options: Pick<MeasurementOptions, 'prime' | 'reactor'>): Promise<Peers> {
  const [prime, reactor] = await Promise.all([probe(options.prime), probe(options.reactor)]);
  return { prime, reactor };
}

async function probe(client: ServiceClient | null): Promise<Health | null> {
  return client === null
    ? null
    : client.get('/health', healthSchema, { once: true, timeoutMs: PROBE_TIMEOUT_MS }).catch(() => null);
}

/**
 * @param runs the runs that Reactor Core has alive now
 * @param othersBefore what others used at the look before, in bytes; null at the first
 */
export async function measureMemory(
  options: MeasurementOptions,
  peers: Peers,
  runs: readonly Run[],
  othersBefore: number | null,
): Promise<MemoryView> {
  const owners: { owner: ServiceName; pid: number }[] = [{ owner: 'jarvis-core', pid: options.ownPid }];
  if (peers.prime !== null) owners.push({ owner: 'j-prime', pid: peers.prime.pid });
  if (peers.reactor !== null) owners.push({ owner: 'reactor-core', pid: peers.reactor.pid });
  const trainers = runs.flatMap((r) => (r.pid === null ? [] : [{ jobId: r.job_id, pid: r.pid }]));
  const [machine, trees] = await Promise.all([
    readMachineMemory(),
    readTrees([...owners, ...trainers].map((o) => o.pid)),
  ]);
  const bytesOf = (pid: number): number => trees.get(pid)?.pss_bytes ?? 0;
  const services = owners.map(({ owner, pid }) => ({ owner, measuredBytes: bytesOf(pid) }));
  const byJob = Object.fromEntries(trainers.map(({ jobId, pid }) => [jobId, bytesOf(pid)]));
  const owned = [...services.map((s) => s.measuredBytes), ...Object.values(byJob)].reduce((a, b) => a + b, 0);
  const othersBytes = Math.max(0, machine.used_bytes - owned);
  return {
    measuredAtMs: options.clock.now(),
    budgetBytes: options.budgetBytes ?? machine.total_bytes,
    safetyBytes: options.safetyBytes,
    othersBytes,
    othersSteadyBytes: Math.min(othersBytes, othersBefore ?? othersBytes),
    devices: {},
    services,
    trainers: byJob,
    prime: await primeUse(options.prime, services.find((s) => s.owner === 'j-prime')?.measuredBytes),
  };
}

async function primeUse(
  prime: ServiceClient | null,
  heldBytes: number | undefined,
): Promise<MemoryView['prime']> {
  if (prime === null) return null;
  const use = await prime
    .get('/api/resources', primeResourcesSchema, { once: true, timeoutMs: PROBE_TIMEOUT_MS })
    .catch(() => null);
  if (use === null) return null;
  return {
    heldBytes: heldBytes ?? use.memory_usage_gb * BYTES_PER_GB,
    idleMs: use.idle_seconds * 1000,
    activeRequests: use.active_requests,
  };
}
