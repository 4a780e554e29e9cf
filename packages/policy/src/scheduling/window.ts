// Quiet hours: the time of the day in which trainings may run.
import type { TrainingWindow } from '@jarvis/contracts';

const MINUTES_OF_A_DAY = 24 * 60;

/** @param minute of the day, local time, 0 to 1439 */
export function isWithin({ fromMinute, toMinute }: TrainingWindow, minute: number): boolean {
  const after = (minute - fromMinute + MINUTES_OF_A_DAY) % MINUTES_OF_A_DAY;
  return after < (toMinute - fromMinute + MINUTES_OF_A_DAY) % MINUTES_OF_A_DAY;
}
