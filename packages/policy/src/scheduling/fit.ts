// Whether a need fits into memory now (I2): max(reserved, measured) of each owned tree + others + safety <= budget; and of
// each GPU: used + what is reserved and not used yet <= total.
import { inGb, type LeaseState, type ResourceVector } from '@jarvis/contracts';
import type { DeviceView, LeaseView, MemoryView, SchedulingSnapshot } from './snapshot.ts';

/** A lease in these states keeps its memory from everybody else. */
const RESERVING: readonly LeaseState[] = ['granted', 'expired_unconfirmed'];

export function isReserving(lease: LeaseView): boolean {
  return RESERVING.includes(lease.state);
}

/** Bytes that could be granted now; below zero when more is taken than the budget has. */
export function availableBytes(memory: MemoryView, leases: readonly LeaseView[]): number {
  const services = memory.services.reduce((sum, s) => sum + s.measuredBytes, 0);
  const holders = new Map<string, number>(Object.entries(memory.holders));
  for (const lease of leases.filter(isReserving)) {
    holders.set(lease.holder, Math.max(holders.get(lease.holder) ?? 0, lease.need.ram_bytes));
  }
  const leased = [...holders.values()].reduce((sum, bytes) => sum + bytes, 0);
  return memory.budgetBytes - memory.safetyBytes - memory.othersBytes - services - leased;
}

/** Bytes of a GPU that could be granted now. */
export function availableOnDevice(
  { totalBytes, usedBytes, byHolder }: DeviceView,
  device: string,
  leases: readonly LeaseView[],
): number {
  const coming = leases.filter(isReserving).map((lease) => {
    const reserved = lease.need.vram_bytes[device] ?? 0;
    return Math.max(0, reserved - (byHolder[lease.holder] ?? 0));
  });
  return totalBytes - usedBytes - coming.reduce((sum, bytes) => sum + bytes, 0);
}

/** Why a need can never be met, whatever else goes away; null when it could. */
export function neverFits(need: ResourceVector, memory: MemoryView | null): string | null {
  if (memory === null) return null;
  for (const [device, bytes] of Object.entries(need.vram_bytes)) {
    const total = memory.devices[device]?.totalBytes;
    if (total === undefined) return `it needs the GPU ${device}, and there is none of that name`;
    if (bytes > total) return `it needs ${inGb(bytes)} of the GPU ${device}, which has ${inGb(total)}`;
  }
  const most = memory.budgetBytes - memory.safetyBytes;
  if (need.ram_bytes <= most) return null;
  return `it needs ${inGb(need.ram_bytes)} and at most ${inGb(most)} can ever be given: lower its need or raise MAX_TOTAL_MEMORY_GB`;
}

export type Fit =
  | { readonly fits: true }
  | { readonly fits: false; readonly missingBytes: number; readonly reason: string };

export function fitLease(lease: LeaseView, snapshot: SchedulingSnapshot, leases: readonly LeaseView[]): Fit {
  const { memory } = snapshot;
  if (memory === null) return { fits: false, missingBytes: 0, reason: 'memory has not been measured lately' };
  const available = availableBytes(memory, leases);
  if (available < lease.need.ram_bytes) {
    const missingBytes = lease.need.ram_bytes - available;
    return {
      fits: false,
      missingBytes,
      reason: `it needs ${inGb(lease.need.ram_bytes)} and ${inGb(Math.max(0, available))} of ${inGb(memory.budgetBytes)} can be given`,
    };
  }
  for (const [device, bytes] of Object.entries(lease.need.vram_bytes)) {
    const view = memory.devices[device];
    const free = view === undefined ? 0 : Math.max(0, availableOnDevice(view, device, leases));
    if (free < bytes) {
      const reason = `it needs ${inGb(bytes)} of the GPU ${device} and ${inGb(free)} of it can be given`;
      return { fits: false, missingBytes: bytes - free, reason };
    }
  }
  const reason = lease.purpose === 'training' ? primeInTheWay(snapshot) : null;
  return reason === null ? { fits: true } : { fits: false, missingBytes: 0, reason };
}

/** Under `training_first` J-Prime is never waited for. */
function primeInTheWay({ memory, options }: SchedulingSnapshot): string | null {
  const prime = memory?.prime ?? null;
  if (prime === null || options.policy === 'training_first') return null;
  if (prime.heldBytes < options.primeThresholdBytes || prime.idleMs >= options.primeIdleMs) return null;
  return `J-Prime is in use and holds ${inGb(prime.heldBytes)}; it is waited for until it is idle for ${Math.round(options.primeIdleMs / 1000)} s`;
}
