// `jarvis train KIND`: asks JARVIS Core for a training, and with --watch follows it to its end.
import { type Job, type JobEvent, jobSubmittedSchema, type ModelType } from '@jarvis/contracts';
import { readConfigOrExit } from '@jarvis/runtime';
import { CommandError, EXIT_INTERRUPTED } from './exit.ts';
import { followJob } from './job-stream.ts';
import { withService } from './services.ts';
import { bar, percent, type Style, styleOf } from './style.ts';
import { untilInterrupted, type World } from './world.ts';

export interface TrainOptions {
  readonly watch?: true;
  readonly epochs?: number;
  readonly json?: true;
}

/** JARVIS Core may be restarted meanwhile; longer than this and it is not coming back. */
const AWAY_MAX_MS = 60_000;

export async function trainCommand(world: World, kind: ModelType, options: TrainOptions): Promise<void> {
  const config = readConfigOrExit(world);
  const body = {
    model_type: kind,
    reason: 'asked for with jarvis train',
    ...(options.epochs === undefined ? {} : { epochs: options.epochs }),
  };
  const { job, joined } = await withService(config, 'jarvis-core', (c) =>
    c.post('/api/jobs', body, jobSubmittedSchema),
  );
  const json = options.json === true;
  if (json) world.stdout.write(`${JSON.stringify(job)}\n`);
  else world.stdout.write(`${submitted(job, joined)}\n`);
  if (options.watch !== true) {
    if (!json) world.stdout.write('`jarvis status` says how it goes; --watch follows it.\n');
    return;
  }
  const { signal, release } = untilInterrupted(world, () => process.exit());
  const display = new TrainingDisplay(world.stdout, json, lineOf(job));
  let last: JobEvent | null = null;
  const stream = followJob({
    baseUrl: config.urls['jarvis-core'],
    token: config.env.JARVIS_API_TOKEN,
    jobId: job.job_id,
    clock: world.clock,
    signal,
    awayMaxMs: AWAY_MAX_MS,
  });
  for await (const { event } of stream) {
    display.show(event);
    last = event;
  }
  release();
  display.end();
  if (signal.aborted) throw new CommandError('No longer watching; the training goes on.', EXIT_INTERRUPTED);
  if (last?.state !== 'completed')
    throw new CommandError(`The training ended as ${last?.state}: ${last?.reason}`);
  if (!json) world.stdout.write('The gate and the rollout follow by themselves: `jarvis status`.\n');
}

function submitted(job: Job, joined: boolean): string {
  return joined
    ? `${job.job_id}: an equal job was waiting already and is joined\n${lineOf(job)}`
    : `${job.job_id}\n${lineOf(job)}`;
}

/** `training (attempt 2): Reactor Core runs it` */
function lineOf({ state, attempt, reason }: Pick<JobEvent, 'state' | 'attempt' | 'reason'>): string {
  const again = attempt > 1 ? ` (attempt ${attempt})` : '';
  return `${state.replaceAll('_', ' ')}${again}${reason === '' ? '' : `: ${reason}`}`;
}

/** One line for a state, one live line for the epochs; JSON lines with --json. */
class TrainingDisplay {
  readonly #stream: NodeJS.WriteStream;
  readonly #style: Style;
  readonly #json: boolean;
  #live = false;
  #last: string;

  /** `shown`: the line that is there already. */
  constructor(stream: NodeJS.WriteStream, json: boolean, shown: string) {
    this.#stream = stream;
    this.#style = styleOf(stream);
    this.#json = json;
    this.#last = shown;
  }

  show(event: JobEvent): void {
    if (this.#json) {
      this.#stream.write(`${JSON.stringify(event)}\n`);
      return;
    }
    const line = lineOf(event);
    if (line !== this.#last) {
      this.end();
      this.#stream.write(`${event.state === 'completed' ? this.#style.paint('green', line) : line}\n`);
      this.#last = line;
    }
    if (event.state === 'training' && event.epoch > 0) this.#showProgress(progressLine(event));
  }

  end(): void {
    if (this.#live) this.#stream.write('\n');
    this.#live = false;
  }

  #showProgress(line: string): void {
    if (!this.#stream.isTTY) {
      this.#stream.write(`${line}\n`);
      return;
    }
    this.#stream.write(`\r\u001B[2K${line}`);
    this.#live = true;
  }
}

/** `████░░░░ epoch 4/10  loss 0.312  accuracy 91.2 %` */
export function progressLine(event: Pick<JobEvent, 'epoch' | 'total_epochs' | 'loss' | 'accuracy'>): string {
  const share = event.total_epochs === 0 ? 0 : event.epoch / event.total_epochs;
  const loss = event.loss === null ? '' : `  loss ${event.loss.toFixed(3)}`;
  const accuracy = event.accuracy === null ? '' : `  accuracy ${percent(event.accuracy)}`;
  return `${bar(share)} epoch ${event.epoch}/${event.total_epochs}${loss}${accuracy}`;
}
