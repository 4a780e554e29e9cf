// Named places at which a test makes this process die or hang, or lose a reply. Off, each costs one comparison.
//
//   failpoint(step, 'before')   the durable step   failpoint(step, 'after')   what follows from it
import type { Step } from './steps.ts';

export type Moment = 'before' | 'after';

export interface Trigger {
  /** Called at each failpoint that is passed; kills or stops the process, or returns. */
  passed(step: Step, moment: Moment): void;
  /** Whether the answer to this request is to be lost. */
  losesReply(request: string): boolean;
}

let trigger: Trigger | null = null;

export function failpoint(step: Step, moment: Moment): void {
  if (trigger !== null) trigger.passed(step, moment);
}

/** Does one durable step between its two failpoints. */
export async function durably<T>(step: Step, work: () => Promise<T>): Promise<T> {
  failpoint(step, 'before');
  const result = await work();
  failpoint(step, 'after');
  return result;
}

export function setTrigger(next: Trigger | null): void {
  trigger = next;
}

/** Null while failpoints are off. */
export function activeTrigger(): Trigger | null {
  return trigger;
}
