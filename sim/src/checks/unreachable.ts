// Edges that the lifecycles have and the present code never takes, each with the reason. One that is taken after all
// has to leave this list.
const NO_PREEMPTION =
  'JARVIS Core does not decide to preempt yet: a run that is preempted was asked to by somebody else';
const NO_REFUSAL = 'nothing refuses a lease: its job waits, goes back to the queue, and asks anew';

/** Edges that a few seeds in a hundred take: a thousand seeds have to, a small corpus may. */
export const RARE: readonly string[] = ['job: starting -> cancelled', 'run: accepted -> cancelled'];

export const UNREACHABLE: Readonly<Record<string, string>> = {
  'job: training -> preempting': NO_PREEMPTION,
  'job: preempting -> queued': NO_PREEMPTION,
  'job: preempting -> completed': NO_PREEMPTION,
  'job: preempting -> cancelled': NO_PREEMPTION,
  'memory lease: requested -> refused': NO_REFUSAL,
  'memory lease: draining -> refused': NO_REFUSAL,
};
