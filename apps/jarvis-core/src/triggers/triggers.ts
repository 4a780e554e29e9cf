// What starts a training by itself: enough new experiences, the hour, or a kind that has no version yet.
import { MODEL_TYPE_OF_EXPERIENCE, type ModelType } from '@jarvis/contracts';
import type { Coordinator } from '@jarvis/coordinator';
import { type Clock, type Logger, type Loop, startLoop } from '@jarvis/runtime';
import type { Database } from '@jarvis/store';
import { Cron } from 'croner';
import { countNew } from '../store/experiences.ts';

export interface TriggerOptions {
  readonly db: Database;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly coordinator: Coordinator;
  readonly intervalMs: number;
  readonly minNew: number;
  readonly cron: string;
}

export interface Triggers {
  stop(): Promise<void>;
}

const KINDS: readonly ModelType[] = [...new Set(Object.values(MODEL_TYPE_OF_EXPERIENCE))];

export function startTriggers(options: TriggerOptions): Triggers {
  const { clock, logger, intervalMs } = options;
  const loop: Loop = startLoop({
    name: 'experience trigger',
    intervalMs,
    clock,
    logger,
    run: () => triggerOnExperiences(options),
  });
  const cron = new Cron(
    options.cron,
    { protect: true, catch: (error) => logger.error({ err: error }, 'the schedule failed') },
    () => triggerOnSchedule(options),
  );
  return {
    stop: async () => {
      cron.stop();
      await loop.stop();
    },
  };
}

export async function triggerOnExperiences(options: TriggerOptions): Promise<void> {
  await submitWhere(options, 'experiences', options.minNew);
}

async function triggerOnSchedule(options: TriggerOptions): Promise<void> {
  await submitWhere(options, 'schedule', 1);
}

async function submitWhere(
  options: TriggerOptions,
  source: 'experiences' | 'schedule',
  atLeast: number,
): Promise<void> {
  for (const modelType of KINDS) {
    const fresh = await countNew(options.db, modelType);
    if (fresh < atLeast) continue;
    const reason = `${fresh} new ${modelType} experiences`;
    const submission = { model_type: modelType, config: {}, auto_deploy: true, reason, source };
    const submitted = await options.coordinator.submitIfNew(submission, atLeast);
    if (submitted !== null && !submitted.joined)
      options.logger.info(
        { job_id: submitted.jobId, model_type: modelType, source },
        `training asked for: ${reason}`,
      );
  }
}

/** The first version of nlu, from the seed set. The job's name is fixed, so that it is asked for once in a home's life. */
export async function submitBaseline(coordinator: Coordinator): Promise<void> {
  await coordinator.submit({
    job_id: 'baseline-nlu',
    model_type: 'nlu',
    config: {},
    auto_deploy: true,
    reason: 'the baseline, from the seed set',
    source: 'baseline',
  });
}
