// Arms failpoints from a plan in a file. Each entry fires once in the life of the plan, over all processes and restarts:
// whoever creates its mark first. A process that is started again passes the same place unharmed.
import { mkdirSync, openSync, closeSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { type Moment, setTrigger, type Trigger } from './failpoint.ts';
import type { Step } from './steps.ts';

/** The variable that names the plan's file. Not for operation: nothing else reads it. */
export const FAILPOINTS_VARIABLE = 'JARVIS_FAILPOINTS';

const entrySchema = z.discriminatedUnion('action', [
  z.strictObject({
    action: z.enum(['kill', 'hang']),
    step: z.string(),
    moment: z.enum(['before', 'after']),
    /** At which passing in the life of a process; 1 is the first. */
    passing: z.int().positive().default(1),
  }),
  z.strictObject({
    action: z.literal('lose_reply'),
    /** `POST /api/training/start`, as the route is written; after the service's name and a blank. */
    request: z.string(),
    passing: z.int().positive().default(1),
  }),
]);
export const failpointPlanSchema = z.array(entrySchema);
export type FailpointEntry = z.input<typeof entrySchema>;
type Entry = z.output<typeof entrySchema>;

/** Where the mark of the n-th entry of a plan lies once it has fired. */
export function markOf(planPath: string, index: number): string {
  return join(`${planPath}.fired`, String(index));
}

/** Does nothing when the variable is not set. Throws when the plan cannot be read: a test that tests nothing must not pass. */
export function armFailpoints(environment: Readonly<Record<string, string | undefined>>): void {
  const path = environment[FAILPOINTS_VARIABLE];
  if (path === undefined || path === '') return;
  const plan = failpointPlanSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
  mkdirSync(`${path}.fired`, { recursive: true });
  setTrigger(triggerOf(plan, (index) => mark(markOf(path, index))));
}

function triggerOf(plan: readonly Entry[], takes: (index: number) => boolean): Trigger {
  const passings = plan.map(() => 0);
  const fires = (index: number, entry: Entry): boolean => {
    passings[index] = (passings[index] ?? 0) + 1;
    return passings[index] === entry.passing && takes(index);
  };
  return {
    passed(step: Step, moment: Moment): void {
      for (const [index, entry] of plan.entries()) {
        if (entry.action === 'lose_reply' || entry.step !== step || entry.moment !== moment) continue;
        if (fires(index, entry)) strike(entry.action);
      }
    },
    losesReply: (request) =>
      plan.some(
        (entry, index) => entry.action === 'lose_reply' && entry.request === request && fires(index, entry),
      ),
  };
}

/** False when somebody has taken it before. */
function mark(path: string): boolean {
  try {
    closeSync(openSync(path, 'wx'));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function strike(action: 'kill' | 'hang'): void {
  process.kill(process.pid, action === 'kill' ? 'SIGKILL' : 'SIGSTOP');
  // The signal takes hold when this thread returns to user space, at the latest here.
  if (action === 'kill') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}
