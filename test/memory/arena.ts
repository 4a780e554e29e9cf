// A machine of our own that is too small: a memory cgroup with a limit, in which the whole system runs. The kernel keeps
// the books: what the group held at most, and whom it had to kill.
import {
  makeMemoryLimit,
  readGroupPeak,
  readMachineOomKills,
  removeMemoryGroup,
  spawnDetached,
  type DetachedProcess,
} from '@jarvis/process';

const PREFIX = 'jarvis-proof-';
export interface Arena {
  readonly limitBytes: number;
  readonly way: string;
  /** Starts a program in it. */
  spawn(words: readonly string[], options: SpawnOptions): Promise<DetachedProcess>;
  /** The most that the group and those below it ever held; null where the kernel does not tell. */
  peakBytes(): Promise<number | null>;
  /** Since it was made, by the kernel, of whomever. */
  kills(): Promise<number>;
  /** Kills who is left in it. */
  remove(): Promise<void>;
}

export interface SpawnOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly output: string;
}

/** @throws with the reason where this system lets us make no such group */
export async function makeArena(limitBytes: number): Promise<Arena> {
  const made = await makeMemoryLimit(`${PREFIX}${process.pid}-${Math.round(performance.now())}`, limitBytes);
  const { group } = made;
  if (group === null)
    throw new Error(
      `no memory cgroup can be made here (${made.detail}): the proof needs Linux and the right to`,
    );
  const before = (await readMachineOomKills()) ?? 0;
  return {
    limitBytes,
    way: made.way,
    spawn: ([command = '', ...args], { env, cwd, output }) =>
      spawnDetached({ command, args, env, cwd, stdoutPath: output, memoryGroup: group }),
    peakBytes: () => readGroupPeak(group),
    kills: async () => ((await readMachineOomKills()) ?? 0) - before,
    async remove() {
      await removeMemoryGroup(group, PREFIX);
    },
  };
}
