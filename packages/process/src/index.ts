// Child processes and memory: spawn, identity, stop ladder, log files, the memory of process trees and of the machine.
export { systemTiming, type Timing } from './timing.ts';
export { thisSystem, type System } from './system.ts';
export { splitWords } from './command-line.ts';
export { findHomeProcesses, type HomeProcess } from './home-processes.ts';
export { groupMembers, listProcesses, readProcess, type ProcessRow } from './processes.ts';
export { isSameProcess, processStartTicks, watchExit, type ExitWatch } from './identity.ts';
export {
  signalGroup,
  signalProcess,
  spawnDetached,
  spawnHeld,
  type DetachedOptions,
  type DetachedProcess,
  type Exit,
  type HeldProcess,
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
export { readMachineUse, type MachineUse } from './machine-use.ts';
export { readMachineMemory, type MachineMemory } from './machine-memory.ts';
export { readGroupPeak, readMachineOomKills, readOomKills } from './oom-kills.ts';
export {
  findMemoryGroups,
  makeMemoryLimit,
  MEMORY_LIMIT_WAYS,
  removeMemoryGroup,
  type MemoryLimit,
  type MemoryLimitWay,
} from './memory-limit.ts';
export {
  createGpuReader,
  GPU_ABSENCE_REMEMBERED_MS,
  readGpuMemory,
  type GpuDevice,
  type GpuMemory,
  type GpuProcess,
} from './gpu-memory.ts';
export { readProcessTreeMemory, readTrees, type TreeMemory } from './tree-memory.ts';
export { cpuPercentBetween, sampleCpu, type CpuSample } from './cpu.ts';
export { readTreesCpuMs } from './tree-cpu.ts';
export { rotateIfLarge } from './log-rotation.ts';
export { followFile, readLastLines, type FollowOptions } from './log-reading.ts';
export { findListener, type Listener } from './listener.ts';
export { ensureHome, HomeError, readHomeId, type Home, type HomeErrorCode } from './home.ts';
