// What Reactor Core holds, against what is stored: before anything is granted, and at every look after that.
import { isTerminal, RUN_LIFECYCLE, slotLockName } from '@jarvis/contracts';
import type { CoordinatorStore, Run } from './ports.ts';

/**
 * Gives back what belongs to nobody any more: a slot or a lease whose holder is no job of this queue, whose time is
 * over, and of which Reactor Core says that no run holds it. Jobs of this queue end by the events of their runs.
 */
export async function reconcileRuns(
  store: CoordinatorStore,
  runs: readonly Run[],
  nowMs: number,
): Promise<void> {
  const { jobs, slots, leases } = await store.load(nowMs);
  const ours = new Set(jobs.map((j) => j.jobId));
  const live = new Set(runs.filter((r) => !isTerminal(RUN_LIFECYCLE, r.state)).map((r) => r.job_id));
  const silentSlots = slots.filter(
    (s) => s.holder !== null && s.expiresAtMs !== null && s.expiresAtMs <= nowMs,
  );
  const silentLeases = leases.filter(
    (l) =>
      l.state === 'expired_unconfirmed' ||
      (l.state !== 'granted' &&
        (l.expiresAtMs ?? nowMs) <= nowMs &&
        !ours.has(l.holder) &&
        !isHolding(slots, l.holder)),
  );
  const silent = new Set([...silentSlots.map((s) => s.holder ?? ''), ...silentLeases.map((l) => l.holder)]);
  for (const holder of silent) {
    if (ours.has(holder) || live.has(holder)) continue;
    const held = slots.filter((s) => s.holder === holder).map((s) => slotLockName(s.slot));
    await store.releaseHolder(
      holder,
      `its time is over and Reactor Core has no such run${held.length > 0 ? ` (${held.join(', ')})` : ''}`,
      nowMs,
    );
  }
}

function isHolding(slots: readonly { readonly holder: string | null }[], holder: string): boolean {
  return slots.some((s) => s.holder === holder);
}
