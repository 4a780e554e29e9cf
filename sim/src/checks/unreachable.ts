// Edges that the lifecycles have and the present code never takes, each with the reason. One that is taken after all
// has to leave this list.
const NO_REFUSAL = 'nothing refuses a lease: its job waits, goes back to the queue, and asks anew';

/** Edges that a few seeds in a hundred take: a thousand seeds have to, a small corpus may. */
export const RARE: readonly string[] = ['job: starting -> cancelled', 'run: accepted -> cancelled'];

export const UNREACHABLE: Readonly<Record<string, string>> = {
  'memory lease: requested -> refused': NO_REFUSAL,
  'memory lease: draining -> refused': NO_REFUSAL,
};
