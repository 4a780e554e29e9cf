// `jarvis demo`: three days of an assistant on the real system; a summary; an exit code that means it.
import type { World } from '../world.ts';
import { untilInterrupted } from '../world.ts';
import { CommandError, EXIT_INTERRUPTED } from '../exit.ts';
import { percent, seconds, styleOf } from '../style.ts';
import { loadDemoData } from './data-set.ts';
import { planDays } from './days.ts';
import { runStages } from './display.ts';
import { seeded } from './seeded.ts';
import { Story } from './story.ts';
import { type DemoSummary, shortcomings, summarize } from './summary.ts';
import {
  type DemoDatabase,
  demoDatabase,
  type DemoSystem,
  dropDemoSchemas,
  makeDemoHome,
  removeDemoHome,
  startDemoSystem,
} from './system.ts';

export interface DemoOptions {
  readonly data?: string;
  readonly database?: string;
  readonly json?: true;
  readonly seed: number;
  readonly healthyThirdDay?: true;
  readonly keep?: true;
}

export async function demoCommand(world: World, options: DemoOptions): Promise<void> {
  const running: Running = { system: null };
  const random = seeded(options.seed);
  const data = await loadDemoData(options.data ?? null, random);
  const { signal, release } = untilInterrupted(world, () => void running.system?.supervisor.kill());
  const home = await makeDemoHome();
  const database = options.database === undefined ? null : demoDatabase(options.database, world.random);
  let failed = true;
  try {
    const told = await tell(world, options, { data, random, home, database, signal, running });
    failed = told.problems.length > 0;
    if (options.json === true) world.stdout.write(`${JSON.stringify(told.summary)}\n`);
    else world.stdout.write(conclusion(world, told.summary));
    if (failed) throw new CommandError(`Not all went as it should:\n  ${told.problems.join('\n  ')}`);
  } catch (error) {
    if (!signal.aborted) throw error;
    world.stderr.write('Stopping …\n');
  } finally {
    // A second Ctrl-C, while it stops, kills.
    const left = await stop(running);
    release();
    if (left.length > 0) world.stderr.write(`Could not be stopped:\n  ${left.join('\n  ')}\n`);
    const kept =
      options.keep === true || left.length > 0 || (failed && !signal.aborted && running.system !== null);
    await putAway(world, { home, database, kept });
  }
  if (signal.aborted) throw new CommandError('Interrupted; everything is stopped.', EXIT_INTERRUPTED);
}

interface Leftovers {
  readonly home: string;
  readonly database: DemoDatabase | null;
  readonly kept: boolean;
}

async function putAway(world: World, { home, database, kept }: Leftovers): Promise<void> {
  if (kept) {
    const schemas =
      database === null ? '' : `, its schemas are ${database.environment.DATABASE_SCHEMA_PREFIX}*`;
    world.stderr.write(
      `The home of this run is kept: ${home}${schemas}\nIts logs: JARVIS_HOME=${home} jarvis logs\n`,
    );
    return;
  }
  if (database !== null) await dropDemoSchemas(world, home, database);
  await removeDemoHome(home);
}

interface Running {
  system: DemoSystem | null;
}

interface Telling {
  readonly data: Awaited<ReturnType<typeof loadDemoData>>;
  readonly random: ReturnType<typeof seeded>;
  readonly home: string;
  readonly database: DemoDatabase | null;
  readonly signal: AbortSignal;
  readonly running: Running;
}

async function tell(
  world: World,
  options: DemoOptions,
  { data, random, home, database, signal, running }: Telling,
): Promise<{ summary: DemoSummary; problems: string[] }> {
  const plan = planDays(data.pool, random);
  const healthyThirdDay = options.healthyThirdDay === true;
  const gaveUp = new AbortController();
  const over = AbortSignal.any([signal, gaveUp.signal]);
  const start = async (): Promise<DemoSystem> => {
    const writeError = (text: string): void => void world.stderr.write(text);
    running.system = await startDemoSystem({
      world,
      home,
      database,
      seed: data.seed,
      threshold: plan.threshold,
      signal: over,
      writeError,
    });
    const { supervisor } = running.system;
    supervisor.events.subscribe((event) => {
      if (event.type === 'service_gave_up') gaveUp.abort(new CommandError(`${event.service} was given up.`));
    });
    // Also while the services start, when no step looks at the signal.
    signal.addEventListener('abort', () => void supervisor.stop());
    if (signal.aborted) void supervisor.stop();
    return running.system;
  };
  const story = new Story({ data, plan, random, healthyThirdDay, start, clock: world.clock, signal: over });
  const display = { stream: displayStream(world, options), clock: world.clock, signal: over };
  await runStages(story.stages(), display);
  const summary = summarize(await story.observed());
  const stepMinRequests = running.system?.config.env.ROLLOUT_STEP_MIN_REQUESTS ?? 0;
  return { summary, problems: shortcomings(summary, { healthyThirdDay, stepMinRequests }) };
}

/** With --json stdout is for the summary alone, and progress is shown to a person only. */
function displayStream(world: World, options: DemoOptions): NodeJS.WriteStream | null {
  if (options.json !== true) return world.stdout;
  return world.stderr.isTTY ? world.stderr : null;
}

/** Answers what could not be stopped. */
async function stop({ system }: Running): Promise<readonly string[]> {
  if (system === null) return [];
  const { left } = await system.supervisor.stop();
  await Promise.all([system.core.close(), system.prime.close(), system.reactor.close()]);
  return left;
}

function conclusion(
  world: World,
  { accuracy, rolled_back, seconds: took, experiences }: DemoSummary,
): string {
  const { paint } = styleOf(world.stdout);
  const lines = [
    '',
    `${paint('bold', 'Understood')}  ${percent(accuracy.before)} → ${percent(accuracy.first)} → ${paint('green', percent(accuracy.second))}`,
    ...(rolled_back === null
      ? []
      : [`${paint('bold', 'Rolled back')} ${rolled_back.version}: ${rolled_back.reason}`]),
    `${paint('bold', 'Experiences')} ${experiences.sent} sent, ${experiences.stored} stored`,
    paint('dim', `${seconds(took.total * 1000)} in all`),
    '',
  ];
  return `${lines.join('\n')}\n`;
}
