// What Reactor Core holds, against what is stored: before anything is granted, and at every look after that.
import { isTerminal, LLM_HOLDER, RUN_LIFECYCLE, slotLockName } from '@jarvis/contracts';
import type { CoordinatorStore, Run, Silent, StoredState } from './ports.ts';

export interface Heard {
  /** Names of the leases and slots of which Reactor Core said the last time that no run is theirs. */
  readonly suspects: ReadonlySet<string>;
  /** J-Prime has not been heard lately, or said that its LLM loads. */
  readonly mayLoadLlm: boolean;
}

/**
 * Gives back what belongs to nobody any more: a slot or a lease whose holder is no job of this queue, whose time is
 * over, and of which Reactor Core says twice in a row that no run holds it: what it said before this process was
 * stopped for a while may be no longer true. What the same holder was given since is its own, and stays.
 * Jobs of this queue end by the events of their runs.
 *
 * Of the LLM Reactor Core knows nothing: the lease under which it may be loading stays, until J-Prime says that it is not.
 *
 * @returns those of which it says so for the first time now
 */
export async function reconcileRuns(
  store: CoordinatorStore,
  runs: readonly Run[],
  { suspects, mayLoadLlm }: Heard,
  nowMs: number,
): Promise<ReadonlySet<string>> {
  const state = await store.load(nowMs);
  const ours = new Set(state.jobs.map((j) => j.jobId));
  const live = new Set(runs.filter((r) => !isTerminal(RUN_LIFECYCLE, r.state)).map((r) => r.job_id));
  const suspectsNow = new Set<string>();
  for (const silent of silentOf(state, nowMs)) {
    if (ours.has(silent.holder) || live.has(silent.holder)) continue;
    if (mayLoadLlm && silent.holder === LLM_HOLDER && isUnconfirmed(state)) continue;
    for (const name of namesOf(silent)) if (!suspects.has(name)) suspectsNow.add(name);
    const confirmed = confirmedOf(silent, suspects);
    if (namesOf(confirmed).length > 0) await store.releaseSilent(confirmed, reasonOf(confirmed), nowMs);
  }
  return suspectsNow;
}

function isUnconfirmed({ leases }: StoredState): boolean {
  return leases.some((l) => l.holder === LLM_HOLDER && l.state === 'expired_unconfirmed');
}

/** By holder. */
function silentOf({ slots, leases }: StoredState, nowMs: number): Silent[] {
  const holding = new Set(slots.flatMap((s) => (s.holder === null ? [] : [s.holder])));
  const silentSlots = slots.filter(
    (s) => s.holder !== null && s.expiresAtMs !== null && s.expiresAtMs <= nowMs,
  );
  const silentLeases = leases.filter(
    (l) =>
      l.state === 'expired_unconfirmed' ||
      (l.state !== 'granted' && (l.expiresAtMs ?? nowMs) <= nowMs && !holding.has(l.holder)),
  );
  const holders = new Set([...silentSlots.map((s) => s.holder ?? ''), ...silentLeases.map((l) => l.holder)]);
  return [...holders].map((holder) => ({
    holder,
    leaseIds: silentLeases.filter((l) => l.holder === holder).map((l) => l.leaseId),
    slots: silentSlots.filter((s) => s.holder === holder).map(({ slot, token }) => ({ slot, token })),
  }));
}

function namesOf({ leaseIds, slots }: Silent): string[] {
  return [...leaseIds, ...slots.map(nameOfSlot)];
}

function nameOfSlot({ slot, token }: Silent['slots'][number]): string {
  return `${slotLockName(slot)} with token ${token}`;
}

function confirmedOf({ holder, leaseIds, slots }: Silent, suspects: ReadonlySet<string>): Silent {
  return {
    holder,
    leaseIds: leaseIds.filter((id) => suspects.has(id)),
    slots: slots.filter((s) => suspects.has(nameOfSlot(s))),
  };
}

function reasonOf({ slots }: Silent): string {
  const held = slots.map(({ slot }) => slotLockName(slot));
  return `its time is over and Reactor Core has no such run${held.length > 0 ? ` (${held.join(', ')})` : ''}`;
}
