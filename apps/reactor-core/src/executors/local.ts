// Trainers as children of this machine: each in a process group of its own, so that it outlives us and is stopped
// whole; first in line for the kernel's out-of-memory killer, so that a wrong guess costs a checkpoint, not the server.
import type { Environment } from '@jarvis/contracts';
import { FAILPOINTS_VARIABLE } from '@jarvis/failpoints';
import {
  type DetachedProcess,
  isSameProcess,
  processStartTicks,
  spawnDetached,
  stopProcess,
  watchExit,
} from '@jarvis/process';
import type { AdoptedIdentity, Executor, TrainerExit, TrainerOrder, TrainerProcess } from './executor.ts';
import { mustHaveTrainer, trainerCommand } from './trainer-command.ts';

/** Of -1000 to 1000; the highest that leaves room for what the user himself marks. */
const OOM_SCORE_ADJUSTMENT = 800;
/** What a trainer's exit leaves behind in its group gets so long to end by itself. */
const LEFT_BEHIND_GRACE_MS = 500;
/** No secret of ours: only what a program needs to find others and its home. */
const PASSED_ON = ['PATH', 'HOME', 'LANG', 'TMPDIR', FAILPOINTS_VARIABLE] as const;

export interface LocalExecutorOptions {
  readonly env: Environment;
  /** The environment of this process, of which the trainer gets a few harmless variables. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

export function createLocalExecutor({ env, environment }: LocalExecutorOptions): Executor {
  const passedOn = Object.fromEntries(PASSED_ON.map((name) => [name, environment[name]]));
  return {
    supports: (modelType) => trainerCommand(modelType, env) !== null,
    start: async (order) => own(await spawn(order, env, passedOn)),
    adopt,
  };
}

async function spawn(
  order: TrainerOrder,
  env: Environment,
  passedOn: Readonly<Record<string, string | undefined>>,
): Promise<DetachedProcess> {
  const [command, ...args] = mustHaveTrainer(order.modelType, env);
  return await spawnDetached({
    command,
    args: [...args, order.jobPath],
    env: passedOn,
    cwd: order.cwd,
    stdoutPath: order.outputPath,
    memoryGroup: order.memoryGroup,
    oomScoreAdjustment: OOM_SCORE_ADJUSTMENT,
  });
}

function own(child: DetachedProcess): TrainerProcess {
  const { pid, startedTicks } = child;
  const exited = child.exited.then(async (exit): Promise<TrainerExit> => {
    await stopProcess({ pid, startedTicks, sweepGroup: true, termGraceMs: LEFT_BEHIND_GRACE_MS });
    return exit;
  });
  return {
    pid,
    startedTicks,
    exited,
    stop: (graceMs) => stop(pid, startedTicks, graceMs),
    leave: () => child.unref(),
  };
}

async function adopt(identities: readonly AdoptedIdentity[]): Promise<TrainerProcess | null> {
  for (const { pid, startedTicks } of identities) {
    // A trainer on a system that tells it no start time cannot write one down: then its pid has to do.
    const ticks = startedTicks ?? (await processStartTicks(pid));
    if (ticks === null || !(await isSameProcess(pid, ticks))) continue;
    const watch = watchExit(pid, ticks);
    return {
      pid,
      startedTicks: ticks,
      exited: watch.exited.then(() => null),
      stop: (graceMs) => stop(pid, ticks, graceMs),
      leave: () => watch.stop(),
    };
  }
  return null;
}

async function stop(pid: number, startedTicks: number, graceMs: number): Promise<boolean> {
  const { rung } = await stopProcess({ pid, startedTicks, termGraceMs: graceMs });
  return rung !== 'unconfirmed';
}
