// Of what may happen again and again the log hears the 1st, 2nd, 4th, 8th ...: a broken model cannot flood it.

/** @param times how often it has happened by now, 1 or more */
export function isTold(times: number): boolean {
  return (times & (times - 1)) === 0;
}
