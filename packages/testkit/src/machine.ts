// The machine that a figure was measured on, in words.
import { availableParallelism, cpus } from 'node:os';

export function describeMachine(): string {
  return `${cpus()[0]?.model.trim()}, ${availableParallelism()} threads, Node ${process.version}`;
}
