// What Reactor Core holds, against what is stored: before anything is granted, and at every look after that.
import { isTerminal, RUN_LIFECYCLE, slotLockName } from '@jarvis/contracts';
import type { CoordinatorStore, Run } from './ports.ts';

/**
 * Gives back what belongs to nobody any more: a slot or a lease whose holder is no job of this queue, whose time is
 * over, and of which Reactor Core says twice in a row that no run holds it: what it said before this process was
 * stopped for a while may be no longer true. Jobs of this queue end by the events of their runs.
 *
 * @param suspects the holders of which it said so the last time
 * @returns those of which it says so for the first time now
 */
export async function reconcileRuns(
  store: CoordinatorStore,
  runs: readonly Run[],
  suspects: ReadonlySet<string>,
  nowMs: number,
): Promise<ReadonlySet<string>> {
  const { jobs, slots, leases } = await store.load(nowMs);
  const ours = new Set(jobs.map((j) => j.jobId));
  const live = new Set(runs.filter((r) => !isTerminal(RUN_LIFECYCLE, r.state)).map((r) => r.job_id));
  const silentSlots = slots.filter(
    (s) => s.holder !== null && s.expiresAtMs !== null && s.expiresAtMs <= nowMs,
  );
  const silentLeases = leases.filter(
    (l) =>
      l.state === 'expired_unconfirmed' ||
      (l.state !== 'granted' && (l.expiresAtMs ?? nowMs) <= nowMs && !isHolding(slots, l.holder)),
  );
  const silent = new Set([...silentSlots.map((s) => s.holder ?? ''), ...silentLeases.map((l) => l.holder)]);
  const suspectsNow = new Set<string>();
  for (const holder of silent) {
    if (ours.has(holder) || live.has(holder)) continue;
    if (!suspects.has(holder)) {
      suspectsNow.add(holder);
      continue;
    }
    const held = slots.filter((s) => s.holder === holder).map((s) => slotLockName(s.slot));
    await store.releaseHolder(
      holder,
      `its time is over and Reactor Core has no such run${held.length > 0 ? ` (${held.join(', ')})` : ''}`,
      nowMs,
    );
  }
  return suspectsNow;
}

function isHolding(slots: readonly { readonly holder: string | null }[], holder: string): boolean {
  return slots.some((s) => s.holder === holder);
}
