// What a test has to put away, last made first: node:test runs its own hooks in the order of asking.
import type { TestContext } from 'node:test';

const waiting = new WeakMap<TestContext, (() => unknown)[]>();

export function afterwards(t: TestContext, action: () => unknown): void {
  const known = waiting.get(t);
  if (known !== undefined) {
    known.push(action);
    return;
  }
  const actions = [action];
  waiting.set(t, actions);
  t.after(async () => {
    for (const next of actions.toReversed()) await next();
  });
}
