// How a run ends: decided from what the trainer said last, what it was asked, and how its process ended. Only called
// when the exit is confirmed, so that whoever hears of the end may count on the slot and the memory.
import { inGb, type RunEndCause } from '@jarvis/contracts';
import type { TrainerExit } from '../executors/executor.ts';
import type { LastWord, RunRow } from '../store/runs.ts';

export type RunEnd =
  | { readonly state: 'completed'; readonly metrics: Record<string, number> }
  | { readonly state: 'cancelled' }
  | { readonly state: 'preempted'; readonly epoch: number; readonly cause: RunEndCause }
  | { readonly state: 'failed'; readonly code: string; readonly error: string }
  /** Over without a result; a higher token starts the next attempt from the newest checkpoint. */
  | { readonly state: 'lost'; readonly error: string; readonly cause: RunEndCause };

/** A code of the trainers themselves, and ours for one that had no time to say it. */
const OUT_OF_MEMORY = 'out_of_memory';

/** `outOfMemory`: the kernel killed the trainer, or what it started, for want of memory. */
export function decideRunEnd(run: RunRow, exit: TrainerExit | null, outOfMemory: boolean): RunEnd {
  const word = run.last_word === null ? null : (JSON.parse(run.last_word) as LastWord);
  if (run.stop_asked === 'cancel') return { state: 'cancelled' };
  if (run.stop_asked === 'flooding')
    return {
      state: 'failed',
      code: 'trainer_flooding',
      error: run.stop_why ?? 'the trainer wrote without end',
    };
  if (word?.type === 'completed') return { state: 'completed', metrics: word.metrics };
  if (word?.type === 'failed' && !word.retryable)
    return { state: 'failed', code: word.code, error: word.message };
  // Also when it was woken up by that and left a checkpoint: whoever hangs again and again must use its retries up.
  if (run.stop_asked === 'silent')
    return over(run, 'silent', { code: 'trainer_silent', error: run.stop_why ?? 'the trainer was silent' });
  const cause = run.stop_asked === 'memory_pressure' ? 'memory_pressure' : 'asked';
  if (word?.type === 'preempted') return { state: 'preempted', epoch: word.epoch, cause };
  if (word?.type === 'failed')
    return over(run, word.code === OUT_OF_MEMORY ? 'out_of_memory' : 'died', {
      code: word.code,
      error: `${word.code}: ${word.message}`,
    });
  // Killed at the end of its grace: what it did since the newest checkpoint is gone, but nobody is to blame for a retry.
  if (run.stop_asked === 'preempt')
    return {
      state: 'preempted',
      epoch: run.checkpoint_epoch,
      cause: outOfMemory ? 'out_of_memory' : 'asked',
    };
  if (outOfMemory)
    return over(run, 'out_of_memory', { code: OUT_OF_MEMORY, error: describeKill(run.limit_bytes) });
  if (run.stop_asked === 'memory_pressure') return { state: 'preempted', epoch: run.checkpoint_epoch, cause };
  return over(run, 'died', { code: 'trainer_lost', error: describeExit(exit) });
}

function over(run: RunRow, cause: RunEndCause, { code, error }: { code: string; error: string }): RunEnd {
  return run.last_attempt === 1 ? { state: 'failed', code, error } : { state: 'lost', error, cause };
}

function describeKill(limitBytes: number | null): string {
  return limitBytes === null
    ? 'the trainer was killed by the system: memory had run out'
    : `the trainer was killed by the system: it may take ${inGb(limitBytes)} and needed more`;
}

function describeExit(exit: TrainerExit | null): string {
  if (exit === null) return 'the trainer died while Reactor Core was away; its output.log may say why';
  if (exit.notStarted !== undefined) return `the trainer could not be started: ${exit.notStarted}`;
  if (exit.signal === 'SIGKILL')
    return 'the trainer was killed (SIGKILL): the system does so when memory runs out';
  if (exit.signal !== null) return `the trainer died of ${exit.signal}; its output.log may say why`;
  return `the trainer exited with code ${exit.code} and without a last word; its output.log may say why`;
}
