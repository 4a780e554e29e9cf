// Edges that a thousand seeds have to take and a small corpus may miss.

/** Edges that a few seeds in a hundred take. */
export const RARE: readonly string[] = [
  'job: starting -> cancelled',
  'job: preempting -> failed',
  'run: accepted -> cancelled',
  'memory lease: draining -> refused',
];
