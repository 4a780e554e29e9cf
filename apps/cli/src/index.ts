// The command line of the system; `jarvis --help` tells the commands.
export { createProgram } from './program.ts';
export type { World } from './world.ts';
