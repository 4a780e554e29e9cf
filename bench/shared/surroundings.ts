// The machine, and whether others were using it. To be asked before a bench loads it itself.
import { availableParallelism, loadavg } from 'node:os';
import { describeMachine } from '@jarvis/testkit';

export function describeSurroundings(): string {
  const [load = 0] = loadavg();
  const busy = load > availableParallelism() ? `; others were using it, load ${load.toFixed(0)}` : '';
  return `${describeMachine()}${busy}`;
}
