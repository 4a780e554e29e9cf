// `jarvis` as a program: only wiring of the edge, where arguments, environment and streams come in.
import { systemClock, systemRandom } from '@jarvis/runtime';
import { createProgram } from './program.ts';
import { runProgram } from './exit.ts';
import { whenUnread } from './world.ts';

const world = {
  // oxlint-disable-next-line no-restricted-properties -- the edge where the environment comes in
  environment: process.env,
  cwd: process.cwd(),
  stdout: process.stdout,
  stderr: process.stderr,
  unread: whenUnread(process.stdout, process.stderr),
  clock: systemClock,
  random: systemRandom,
};
process.exitCode = await runProgram(world, () => createProgram(world).parseAsync(process.argv));
