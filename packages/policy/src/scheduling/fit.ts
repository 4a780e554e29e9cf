// Whether a need fits into memory now (I2): max(reserved, measured) of each owned tree + others + safety <= budget.
import { BYTES_PER_GB, type LeaseState, type ResourceVector } from '@jarvis/contracts';
import type { LeaseView, MemoryView, SchedulingSnapshot } from './snapshot.ts';

/** A lease in these states keeps its memory from everybody else. */
const RESERVING: readonly LeaseState[] = ['granted', 'expired_unconfirmed'];

export function isReserving(lease: LeaseView): boolean {
  return RESERVING.includes(lease.state);
}

/** Bytes that could be granted now; below zero when more is taken than the budget has. */
export function availableBytes(memory: MemoryView, leases: readonly LeaseView[]): number {
  const services = memory.services.reduce((sum, s) => sum + s.measuredBytes, 0);
  const holders = new Map<string, number>(Object.entries(memory.trainers));
  for (const lease of leases.filter(isReserving)) {
    holders.set(lease.holder, Math.max(holders.get(lease.holder) ?? 0, lease.need.ram_bytes));
  }
  const training = [...holders.values()].reduce((sum, bytes) => sum + bytes, 0);
  return memory.budgetBytes - memory.safetyBytes - memory.othersBytes - services - training;
}

/** Why a need can never be met, whatever else goes away; null when it could. */
export function neverFits(need: ResourceVector, memory: MemoryView | null): string | null {
  if (memory === null) return null;
  const most = memory.budgetBytes - memory.safetyBytes;
  if (need.ram_bytes <= most) return null;
  return `it needs ${gb(need.ram_bytes)} and at most ${gb(most)} can ever be given: lower its need or raise MAX_TOTAL_MEMORY_GB`;
}

export type Fit =
  | { readonly fits: true }
  | { readonly fits: false; readonly missingBytes: number; readonly reason: string };

export function fitLease(lease: LeaseView, snapshot: SchedulingSnapshot, leases: readonly LeaseView[]): Fit {
  const { memory, options } = snapshot;
  if (memory === null) return { fits: false, missingBytes: 0, reason: 'memory has not been measured lately' };
  const available = availableBytes(memory, leases);
  if (available < lease.need.ram_bytes) {
    const missingBytes = lease.need.ram_bytes - available;
    return {
      fits: false,
      missingBytes,
      reason: `it needs ${gb(lease.need.ram_bytes)} and ${gb(Math.max(0, available))} of ${gb(memory.budgetBytes)} can be given`,
    };
  }
  const { prime } = memory;
  const inTheWay =
    prime !== null && prime.heldBytes >= options.primeThresholdBytes && prime.idleMs < options.primeIdleMs;
  if (inTheWay) {
    return {
      fits: false,
      missingBytes: 0,
      reason: `J-Prime is in use and holds ${gb(prime.heldBytes)}; it is waited for until it is idle for ${Math.round(options.primeIdleMs / 1000)} s`,
    };
  }
  return { fits: true };
}

function gb(bytes: number): string {
  return `${(bytes / BYTES_PER_GB).toFixed(2)} GB`;
}
