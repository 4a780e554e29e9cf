// Shows stages and steps as they run: live on a terminal (listr2), line by line elsewhere, or not at all.
import { Listr, type ListrDefaultRendererLogLevels, ListrLogger, PRESET_TIMER, ProcessOutput } from 'listr2';
import type { Clock } from '@jarvis/runtime';
import { seconds, styleOf } from '../style.ts';
import type { Stage } from './story.ts';

export interface DisplayOptions {
  /** null: nothing is shown. */
  readonly stream: NodeJS.WriteStream | null;
  readonly clock: Clock;
  /** A step that ends when this has fired was interrupted. */
  readonly signal: AbortSignal;
}

/** Runs the stages one after the other; throws what a step throws. */
export async function runStages(stages: readonly Stage[], options: DisplayOptions): Promise<void> {
  const { stream } = options;
  if (stream === null) await runSilently(stages);
  else if (stream.isTTY) await runLive(stages, stream, options.signal);
  else await runPlain(stages, stream, options.clock);
}

async function runSilently(stages: readonly Stage[]): Promise<void> {
  for (const { steps } of stages) for (const step of steps) await step.run({ show: () => undefined });
}

async function runPlain(stages: readonly Stage[], stream: NodeJS.WriteStream, clock: Clock): Promise<void> {
  const { paint } = styleOf(stream);
  for (const { title, steps } of stages) {
    stream.write(`${paint('bold', title)}\n`);
    for (const step of steps) {
      const from = clock.monotonic();
      const result = await step.run({ show: () => undefined });
      stream.write(`  ${step.title}: ${result} (${seconds(clock.monotonic() - from)})\n`);
    }
  }
}

async function runLive(
  stages: readonly Stage[],
  stream: NodeJS.WriteStream,
  signal: AbortSignal,
): Promise<void> {
  const logger = new ListrLogger<ListrDefaultRendererLogLevels>({
    processOutput: new ProcessOutput(stream, stream),
  });
  const list = new Listr(
    stages.map((stage) => ({
      title: stage.title,
      task: (_: unknown, parent) =>
        parent.newListr(
          stage.steps.map((step) => ({
            title: step.title,
            task: async (_context: unknown, task): Promise<void> => {
              const show = (text: string): void => {
                task.output = text;
              };
              try {
                task.title = `${step.title}: ${await step.run({ show })}`;
              } catch (error) {
                task.title = `${step.title}: ${signal.aborted ? 'interrupted' : (error as Error).message}`;
                throw error;
              }
            },
          })),
        ),
    })),
    {
      concurrent: false,
      exitOnError: true,
      // Ctrl-C is the demo's to handle: it has processes to stop.
      registerSignalListeners: false,
      rendererOptions: {
        logger,
        collapseSubtasks: false,
        showErrorMessage: false,
        formatOutput: 'truncate',
        timer: PRESET_TIMER,
      },
    },
  );
  await list.run();
}
