// Child processes and memory: spawn, identity, stop ladder, log files, the memory of process trees and of the machine.
export { systemTiming, type Timing } from './timing.ts';
export { thisSystem, type System } from './system.ts';
export { findHomeProcesses, type HomeProcess } from './home-processes.ts';
export { groupMembers, listProcesses, readProcess, type ProcessRow } from './processes.ts';
export { isSameProcess, processStartTicks, watchExit, type ExitWatch } from './identity.ts';
export {
  signalGroup,
  signalProcess,
  spawnDetached,
  type DetachedOptions,
  type DetachedProcess,
  type Exit,
} from './spawn.ts';
export {
  STOP_ASK_GRACE_MS,
  STOP_KILL_CONFIRM_MS,
  STOP_TERM_GRACE_MS,
  stopProcess,
  type StopOptions,
  type StopResult,
  type StopRung,
} from './stop.ts';
export { readMachineMemory, type MachineMemory } from './machine-memory.ts';
export { readProcessTreeMemory, readTrees, type TreeMemory } from './tree-memory.ts';
export { cpuPercentBetween, sampleCpu, type CpuSample } from './cpu.ts';
export { readTreesCpuMs } from './tree-cpu.ts';
export { rotateIfLarge } from './log-rotation.ts';
export { followFile, readLastLines, type FollowOptions } from './log-reading.ts';
export { findListener, type Listener } from './listener.ts';
export { ensureHome, HomeError, readHomeId, type Home, type HomeErrorCode } from './home.ts';
