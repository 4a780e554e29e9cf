// `jarvis migrate`: which migrations each service still has to apply, tried or applied.
import { type Environment, type ServiceName, SERVICES } from '@jarvis/contracts';
import { readConfigOrExit } from '@jarvis/runtime';
import { z } from 'zod';
import { CommandError, EXIT_FAILURE } from './exit.ts';
import { SERVICE_TITLES } from '@jarvis/supervisor';
import { runStoreProgram } from './store-programs.ts';
import { plural, styleOf } from './style.ts';
import { serviceEnvironment } from './supervision.ts';
import type { World } from './world.ts';

const reportSchema = z.object({
  engine: z.enum(['sqlite', 'postgres']),
  where: z.string(),
  applied: z.int(),
  pending: z.array(z.object({ id: z.int(), name: z.string() })),
});
type Report = z.infer<typeof reportSchema>;

type Outcome =
  | ({ readonly service: ServiceName; readonly ok: true } & Report)
  | { readonly service: ServiceName; readonly ok: false; readonly problem: string };

export interface MigrateOptions {
  readonly dryRun?: true;
  readonly json?: true;
}

/** Goes through all services, also behind one that fails; a dry run that fails is what it is for. */
export async function migrateCommand(world: World, options: MigrateOptions): Promise<void> {
  const config = readConfigOrExit(world);
  const environment = serviceEnvironment(config, world);
  const verb = options.dryRun === true ? 'rehearse' : 'migrate';
  const outcomes = await Promise.all(
    ours(config.env).map((service) =>
      runStoreProgram({ service, verb, environment, cwd: world.cwd }).then(
        (answer): Outcome => ({ service, ok: true, ...reportSchema.parse(answer) }),
        (error: unknown): Outcome => {
          if (!(error instanceof CommandError)) throw error;
          return { service, ok: false, problem: error.message };
        },
      ),
    ),
  );
  if (options.json !== true)
    for (const outcome of outcomes) world.stdout.write(textOf(outcome, options, world));
  if (options.json === true) world.stdout.write(`${JSON.stringify(outcomes, null, 2)}\n`);
  else if (options.dryRun === true) world.stdout.write('Nothing was changed.\n');
  if (outcomes.some((outcome) => !outcome.ok)) process.exitCode = EXIT_FAILURE;
}

/** The services whose data is here and whose program is ours. */
function ours(env: Environment): ServiceName[] {
  const elsewhere: Readonly<Record<ServiceName, boolean>> = {
    'jarvis-core': env.JARVIS_CORE_API_URL !== null,
    'j-prime':
      !env.JARVIS_PRIME_ENABLED || env.JARVIS_PRIME_API_URL !== null || env.JARVIS_PRIME_COMMAND !== null,
    'reactor-core':
      !env.REACTOR_CORE_ENABLED || env.REACTOR_CORE_API_URL !== null || env.REACTOR_CORE_COMMAND !== null,
  };
  return SERVICES.filter((service) => !elsewhere[service]);
}

function textOf(outcome: Outcome, options: MigrateOptions, world: World): string {
  const { paint } = styleOf(world.stdout);
  if (!outcome.ok) return `${paint('red', '✖')} ${outcome.problem}\n`;
  const { service, engine, where, applied, pending } = outcome;
  const head = `${paint('green', '✔')} ${SERVICE_TITLES[service]} ${paint('dim', `${engine === 'sqlite' ? 'SQLite' : 'Postgres'}, ${where}`)}`;
  if (pending.length === 0) return `${head}: up to date with ${plural(applied, 'migration')}\n`;
  const done = options.dryRun === true ? 'would be applied, and can be' : 'applied';
  const lines = pending.map(({ id, name }) => `    ${id}  ${name}`);
  return `${head}: ${plural(pending.length, 'migration')} ${done}\n${lines.join('\n')}\n`;
}
