// Measures this host: the process trees of the three services and of each trainer, and what everybody else uses.
import {
  BYTES_PER_GB,
  type Health,
  healthSchema,
  LLM_HOLDER,
  type PrimeResources,
  primeResourcesSchema,
  type Run,
  type ServiceName,
} from '@jarvis/contracts';
import type { DeviceView, MemoryView } from '@jarvis/policy';
import { type GpuMemory, readMachineMemory, readTrees } from '@jarvis/process';
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
  /** null where there is no GPU that tells. */
  readonly readGpu: () => Promise<GpuMemory | null>;
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
  const use = await askPrime(options.prime);
  const owners: { owner: ServiceName; pid: number }[] = [{ owner: 'jarvis-core', pid: options.ownPid }];
  if (peers.prime !== null) owners.push({ owner: 'j-prime', pid: peers.prime.pid });
  if (peers.reactor !== null) owners.push({ owner: 'reactor-core', pid: peers.reactor.pid });
  const holders = holdersOf(runs, use);
  const [machine, trees, gpu] = await Promise.all([
    readMachineMemory(),
    readTrees([...owners, ...holders].map((o) => o.pid)),
    options.readGpu(),
  ]);
  const bytesOf = (pid: number): number => trees.get(pid)?.pss_bytes ?? 0;
  const services = owners.map(({ owner, pid }) => ({ owner, measuredBytes: bytesOf(pid) }));
  const byHolder: Record<string, number> = {};
  for (const { holder, pid } of holders) byHolder[holder] = (byHolder[holder] ?? 0) + bytesOf(pid);
  const owned = [...services.map((s) => s.measuredBytes), ...Object.values(byHolder)].reduce(
    (a, b) => a + b,
    0,
  );
  const othersBytes = Math.max(0, machine.used_bytes - owned);
  const ownPrime = services.find((s) => s.owner === 'j-prime')?.measuredBytes;
  return {
    measuredAtMs: options.clock.now(),
    budgetBytes: options.budgetBytes ?? machine.total_bytes,
    safetyBytes: options.safetyBytes,
    othersBytes,
    othersSteadyBytes: Math.min(othersBytes, othersBefore ?? othersBytes),
    services,
    holders: byHolder,
    prime: use === null ? null : primeUse(use, (ownPrime ?? 0) + (byHolder[LLM_HOLDER] ?? 0)),
    devices: devicesOf(gpu, holders),
  };
}

interface Holder {
  readonly holder: string;
  readonly pid: number;
}

/** The trainers by their job, and the LLM server, which is no child of J-Prime where it was there before. */
function holdersOf(runs: readonly Run[], use: PrimeResources | null): Holder[] {
  const trainers = runs.flatMap((r) => (r.pid === null ? [] : [{ holder: r.job_id, pid: r.pid }]));
  const llm = (use?.llm?.pids ?? []).map((pid) => ({ holder: LLM_HOLDER, pid }));
  return [...trainers, ...llm];
}

async function askPrime(prime: ServiceClient | null): Promise<PrimeResources | null> {
  if (prime === null) return null;
  return prime
    .get('/api/resources', primeResourcesSchema, { once: true, timeoutMs: PROBE_TIMEOUT_MS })
    .catch(() => null);
}

function primeUse(use: PrimeResources, measuredBytes: number): NonNullable<MemoryView['prime']> {
  return {
    heldBytes: measuredBytes > 0 ? measuredBytes : use.memory_usage_gb * BYTES_PER_GB,
    idleMs: use.idle_seconds * 1000,
    activeRequests: use.active_requests,
    isLoading: use.llm?.state === 'loading',
  };
}

/** A device that does not tell its size is none. What a child of a trainer uses counts as somebody's, not as the trainer's. */
function devicesOf(gpu: GpuMemory | null, holders: readonly Holder[]): Record<string, DeviceView> {
  const devices: Record<string, DeviceView> = {};
  const byPid = new Map(holders.map(({ pid, holder }) => [pid, holder]));
  for (const { uuid, total_bytes: totalBytes, used_bytes: usedBytes } of gpu?.devices ?? []) {
    if (totalBytes === null) continue;
    const byHolder: Record<string, number> = {};
    for (const use of gpu?.processes ?? []) {
      const holder = byPid.get(use.pid);
      if (holder !== undefined && use.uuid === uuid)
        byHolder[holder] = (byHolder[holder] ?? 0) + (use.used_bytes ?? 0);
    }
    devices[uuid] = { totalBytes, usedBytes: usedBytes ?? 0, byHolder };
  }
  return devices;
}
