// Why nobody trains now: a person paused it, the hour is not one of those for it, or somebody is at the machine.
import type { TrainingWindow } from '@jarvis/contracts';
import type { TrainingHold } from './snapshot.ts';
import { isWithin } from './window.ts';

/** What a person said with `jarvis pause`. */
export interface Pause {
  readonly reason: string;
  /** null: until `jarvis resume`. */
  readonly untilMs: number | null;
}

/** Of the machine, as measured. */
export interface MachineUse {
  /** Processes that want to run, for each processor, over the last minute; null where the system does not tell. */
  readonly loadPerProcessor: number | null;
  readonly onBattery: boolean;
}

export interface HoldFacts {
  readonly nowMs: number;
  readonly pause: Pause | null;
  readonly window: TrainingWindow | null;
  /** Local time, minutes after midnight. */
  readonly minuteOfDay: number;
  readonly use: MachineUse | null;
}

export interface HoldRules {
  /** A load above it counts as use; null: none does. */
  readonly loadMax: number | null;
  readonly trainsOnBattery: boolean;
}

export function holdOf(facts: HoldFacts, rules: HoldRules): TrainingHold | null {
  return pausedHold(facts) ?? windowHold(facts) ?? useHold(facts, rules);
}

/** A pause ends by itself: a clock that is set back makes it longer, `jarvis resume` ends it at once. */
function pausedHold({ pause, nowMs }: HoldFacts): TrainingHold | null {
  if (pause === null || (pause.untilMs !== null && pause.untilMs <= nowMs)) return null;
  const until =
    pause.untilMs === null
      ? '`jarvis resume` lets it go on'
      : `it goes on at ${new Date(pause.untilMs).toISOString()}, or with \`jarvis resume\``;
  const why = pause.reason === '' ? '' : ` (${pause.reason})`;
  return { reason: `training is paused${why}; ${until}`, stopsRunning: true };
}

function windowHold({ window, minuteOfDay }: HoldFacts): TrainingHold | null {
  if (window === null || isWithin(window, minuteOfDay)) return null;
  const from = clockTime(window.fromMinute);
  const to = clockTime(window.toMinute);
  return {
    reason: `training runs from ${from} to ${to} only (TRAINING_WINDOW); it goes on at ${from}`,
    stopsRunning: true,
  };
}

/** What trains already goes on: it is a part of the load, and stopping and starting it would swing. */
function useHold({ use }: HoldFacts, { loadMax, trainsOnBattery }: HoldRules): TrainingHold | null {
  if (use === null) return null;
  if (use.onBattery && !trainsOnBattery) {
    const reason = 'the machine runs on its battery; it goes on when it is plugged in (TRAINING_ON_BATTERY)';
    return { reason, stopsRunning: false };
  }
  if (loadMax === null || use.loadPerProcessor === null || use.loadPerProcessor <= loadMax) return null;
  const load = use.loadPerProcessor.toFixed(2);
  return {
    reason: `the machine is in use: a load of ${load} for each processor, and ${loadMax} is the most (TRAINING_MAX_LOAD)`,
    stopsRunning: false,
  };
}

function clockTime(minute: number): string {
  return `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`;
}
