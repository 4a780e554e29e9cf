// The commands of `jarvis`, their options and help.
import { readFileSync } from 'node:fs';
import { idSchema, LOCK_TTL_SECONDS_MAX, modelTypeSchema, MODEL_TYPES } from '@jarvis/contracts';
import { LOG_FILES } from '@jarvis/supervisor';
import { Argument, Command, InvalidArgumentError, Option } from 'commander';
import { configCommand } from './config-command.ts';
import { demoCommand } from './demo/demo-command.ts';
import { examples } from './examples.ts';
import { doctorCommand } from './doctor/doctor-command.ts';
import { downCommand } from './down-command.ts';
import { FORMATS } from './import/formats.ts';
import { importCommand } from './import/import-command.ts';
import { lockCommand } from './lock-command.ts';
import { logsCommand } from './logs-command.ts';
import { exportModel, importModel, listModels, showModel } from './models-command.ts';
import { migrateCommand } from './migrate-command.ts';
import { pauseCommand, resumeCommand } from './pause-command.ts';
import { addRollouts } from './rollouts/program.ts';
import { statusCommand } from './status-command.ts';
import { trainCommand } from './train-command.ts';
import { upCommand } from './up-command.ts';
import type { World } from './world.ts';

const LOG_LINES_DEFAULT = 40;
const LOG_LINES_MAX = 100_000;
const EPOCHS_MAX = 100_000;
const SEED_DEFAULT = 1;
const LOCK_TTL_SECONDS_DEFAULT = 60;
/** Below this a renewal that is answered a little late loses the lock. */
const LOCK_TTL_SECONDS_MIN = 1;
const LOCK_WAIT_SECONDS_MAX = 365 * 86_400;
const DURATION_SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };
/** Of one sentence template. */
const FORMS_DEFAULT = 100;
const FORMS_MAX = 10_000;
const PAUSE_SECONDS_MAX = 365 * 86_400;

export function createProgram(world: World): Command {
  const program = new Command('jarvis')
    .description('Closes the learning loop of a local AI assistant on one machine.')
    .version(ownVersion(), '-V, --version', 'display the version')
    .configureOutput({
      writeOut: (text) => world.stdout.write(text),
      writeErr: (text) => world.stderr.write(text),
      getOutHasColors: () => false,
    })
    .exitOverride()
    .addHelpText(
      'after',
      examples('jarvis demo', 'jarvis up', 'jarvis train nlu --watch', 'jarvis logs reactor-core -f') +
        '\nConfiguration is by environment variables: `jarvis config`.\nExit codes: 0 done, 1 failed, 65 done but for some input, 69 a service is away, 78 bad configuration, 130 interrupted.',
    );
  addSystemCommands(program, world);
  addLogs(program, world);
  addTrain(program, world);
  addModels(program, world);
  addRollouts(program, world);
  addPause(program, world);
  addExperiences(program, world);
  addLock(program, world);
  addDemo(program, world);
  const commands = program.commands.flatMap((command) => [command, ...command.commands]);
  for (const command of [program, ...commands])
    command.showHelpAfterError(`(${pathOf(command)} --help says what there is)`);
  return program;
}

function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}

function ownVersion(): string {
  const path = new URL('../package.json', import.meta.url);
  return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version;
}

function addSystemCommands(program: Command, world: World): void {
  program
    .command('up')
    .description('start what is missing of the three services, and keep them up until Ctrl-C')
    .addHelpText(
      'after',
      examples('jarvis up', 'JARVIS_HOME=/data/jarvis JARVIS_PORT=6001 jarvis up') +
        '\nCtrl-C stops everything in order; a second one kills it. `jarvis down` does the first from elsewhere.',
    )
    .action(() => upCommand(world));
  program
    .command('down')
    .description('stop what runs on this home, whoever started it')
    .addHelpText('after', examples('jarvis down'))
    .action(() => downCommand(world));
  program
    .command('status')
    .description('who answers, what is served, what is trained, rolled out or waits, and why')
    .option('--json', 'as JSON')
    .addHelpText('after', examples('jarvis status', 'jarvis status --json'))
    .action((options: { json?: true }) => statusCommand(world, options));
  program
    .command('doctor')
    .description('look at configuration, home, processes and services: what is not well, and what to do')
    .option('--json', 'as JSON')
    .addHelpText(
      'after',
      examples('jarvis doctor', 'jarvis doctor --json') +
        '\nChanges nothing. Exit codes: 0 all is well, 1 something is broken, 69 nothing runs.',
    )
    .action((options: { json?: true }) => doctorCommand(world, options));
  program
    .command('migrate')
    .description('bring the data of the services up to date; they also do it themselves when they start')
    .option('--dry-run', 'only try it, on a copy or in a transaction that is rolled back; changes nothing')
    .option('--json', 'as JSON')
    .addHelpText('after', examples('jarvis migrate --dry-run', 'jarvis migrate'))
    .action((options: { dryRun?: true; json?: true }) => migrateCommand(world, options));
  program
    .command('config')
    .description('every variable with its value, where that came from, and its meaning')
    .option('--json', 'as JSON')
    .addHelpText('after', examples('jarvis config', 'ROLLOUT_ALPHA=0.01 jarvis config --json'))
    .action((options: { json?: true }) => configCommand(world, options));
}

function addLogs(program: Command, world: World): void {
  program
    .command('logs')
    .description('the last lines of the logs, merged by time')
    .addArgument(new Argument('[service]', 'only this one').choices(Object.keys(LOG_FILES)))
    .option('-f, --follow', 'go on as lines come')
    .option('--grep <pattern>', 'only lines that this regular expression matches', regularExpression)
    .option('-n, --lines <count>', 'how many', wholeNumber(0, LOG_LINES_MAX), LOG_LINES_DEFAULT)
    .option('--raw', 'as they stand in the file')
    .addHelpText(
      'after',
      examples('jarvis logs', 'jarvis logs jarvis-core -f', "jarvis logs --grep 'job-.*failed' -n 200"),
    )
    .action((service: string | undefined, options: Parameters<typeof logsCommand>[2]) =>
      logsCommand(world, service, options),
    );
}

function addTrain(program: Command, world: World): void {
  program
    .command('train')
    .description('ask for a training; the new version is gated and rolled out like any other')
    .addArgument(new Argument('<kind>', 'kind of model').choices(MODEL_TYPES))
    .option('-w, --watch', 'follow it to its end')
    .option('--epochs <count>', 'how many epochs', wholeNumber(1, EPOCHS_MAX))
    .option('--json', 'JSON lines: the job, then with --watch each event')
    .addHelpText('after', examples('jarvis train nlu --watch', 'jarvis train nlu --epochs 20 --json'))
    .action((kind: string, options: Parameters<typeof trainCommand>[2]) =>
      trainCommand(world, modelTypeSchema.parse(kind), options),
    );
}

function addModels(program: Command, world: World): void {
  const models = program
    .command('models')
    .description('versions of the models: list, show, export, import')
    .addHelpText(
      'after',
      examples(
        'jarvis models list',
        'jarvis models show nlu stable',
        'jarvis models export nlu stable nlu.tar',
        'jarvis models import nlu nlu.tar',
      ) +
        '\nA version is named by its number or by an alias: stable, previous, candidate, or one that was set.',
    );
  const kind = (name: string): Argument => new Argument(name, 'kind of model').choices(MODEL_TYPES);
  models
    .command('list')
    .description('versions, highest first, with their aliases')
    .addArgument(kind('[kind]'))
    .option('--json', 'as JSON')
    .addHelpText('after', examples('jarvis models list', 'jarvis models list nlu --json'))
    .action((of: string | undefined, options: { json?: true }) =>
      listModels(world, of === undefined ? null : modelTypeSchema.parse(of), options),
    );
  models
    .command('show')
    .description('one version: where it comes from, its figures and files, and what became of it')
    .addArgument(kind('<kind>'))
    .argument('<version>', 'number or alias')
    .option('--json', 'as JSON')
    .addHelpText('after', examples('jarvis models show nlu v0.1.0', 'jarvis models show nlu previous --json'))
    .action((of: string, version: string, options: { json?: true }) =>
      showModel(world, { kind: modelTypeSchema.parse(of), version }, options),
    );
  models
    .command('export')
    .description('write a version into a new folder, or a new file whose name ends in .tar')
    .addArgument(kind('<kind>'))
    .argument('<version>', 'number or alias')
    .argument('<target>', 'FOLDER or FILE.tar, which may not be there yet')
    .addHelpText(
      'after',
      examples('jarvis models export nlu stable nlu.tar', 'jarvis models export nlu v0.1.0 nlu'),
    )
    .action((of: string, version: string, target: string) =>
      exportModel(world, { kind: modelTypeSchema.parse(of), version }, target),
    );
  models
    .command('import')
    .description('make a version of a foreign ONNX model; nobody is served it until it is deployed')
    .addArgument(kind('<kind>'))
    .argument('<source>', 'FOLDER with model.json and the files it names, or a FILE.tar of them')
    .option('--json', 'as JSON')
    .addHelpText('after', examples('jarvis models import nlu nlu.tar', 'jarvis models import nlu ./my-model'))
    .action((of: string, source: string, options: { json?: true }) =>
      importModel(world, modelTypeSchema.parse(of), { source, ...options }),
    );
}

function addPause(program: Command, world: World): void {
  program
    .command('pause')
    .description('stop all training at a checkpoint, and start none, until it is resumed')
    .option('--for <duration>', 'go on by itself after so long: 90s, 30m, 2h, 1d', duration)
    .option('--reason <text>', 'for others who wonder')
    .option('--json', 'as JSON')
    .addHelpText('after', examples('jarvis pause', "jarvis pause --for 2h --reason 'a film'"))
    .action((options: Parameters<typeof pauseCommand>[1]) => pauseCommand(world, options));
  program
    .command('resume')
    .description('end a pause: what was stopped goes on from its checkpoint')
    .option('--json', 'as JSON')
    .addHelpText('after', examples('jarvis resume'))
    .action((options: { json?: true }) => resumeCommand(world, options));
}

function addExperiences(program: Command, world: World): void {
  const example = 'jarvis experiences import nlu.yml';
  program
    .command('experiences')
    .description('what the assistant learns from')
    .addHelpText('after', examples(example))
    .command('import')
    .description('send files in the form of others to JARVIS Core as experiences')
    .argument('<file...>', 'what to read, in this order')
    .addOption(
      new Option('--format <format>', 'of all files (default: told by name and content)').choices(FORMATS),
    )
    .addOption(
      new Option(
        '--model-type <type>',
        'what is to learn from them (default: nlu, or as the file says)',
      ).choices(MODEL_TYPES),
    )
    .option('--text-column <name>', 'of csv and jsonl (default: text, utterance or input)')
    .option('--label-column <name>', 'of csv and jsonl (default: label or intent)')
    .option(
      '--forms <count>',
      'at most so many sentences of one template of home-assistant, spread over all',
      wholeNumber(1, FORMS_MAX),
      FORMS_DEFAULT,
    )
    .option('--dry-run', 'send nothing; show the first of each file, and the counts')
    .option('--json', 'JSON lines: files, what is not imported, the counts')
    .addHelpText(
      'after',
      examples(
        `${example} --dry-run`,
        'jarvis experiences import sentences/en/*.yaml',
        'jarvis experiences import tickets.csv --text-column question --label-column topic',
      ) + IMPORT_NOTES,
    )
    .action((files: string[], options: Parameters<typeof importCommand>[2]) =>
      importCommand(world, files, options),
    );
}

const IMPORT_NOTES = `

Formats:
  openai-chat     {"messages": [{"role", "content"}, …]} a line, or an array of such; the answer is the intent of the turn
                  before it, or with --model-type embedding the two belong together
  rasa-nlu        nlu: - intent, examples; entities are reduced to their text
  home-assistant  language, intents: sentences; lists and expansion_rules come from all files given
  csv             a header, then rows of text and label (a, b and score with --model-type embedding)
  jsonl           experiences as POST /api/experiences takes them, or {"text", "label"}
The same file again stores nothing twice; after Ctrl-C it goes on. What is not imported is listed with file, line and reason.
Exit codes: 0 all is in, 65 all but what was listed, 1 refused, 69 JARVIS Core is away, 130 interrupted.`;

function addLock(program: Command, world: World): void {
  program
    .command('lock')
    .description('run a command while a named lock of JARVIS Core is held; waits for it in line')
    .argument('<name>', 'of the lock; any, such as backup or index/main')
    .argument('<command...>', 'what to run, after --')
    .option(
      '--ttl <seconds>',
      'after how long a silent holder loses it',
      wholeNumber(LOCK_TTL_SECONDS_MIN, LOCK_TTL_SECONDS_MAX),
      LOCK_TTL_SECONDS_DEFAULT,
    )
    .option(
      '--wait <seconds>',
      'give up after so long; 0: at once (default: wait as long as it takes)',
      wholeNumber(0, LOCK_WAIT_SECONDS_MAX),
    )
    .option('--holder <id>', 'who it is, for others who wait (default: machine and process)', holderId)
    .addHelpText(
      'after',
      examples(
        'jarvis lock backup -- tar czf backup.tgz data',
        'jarvis lock index/main --wait 0 --ttl 300 -- ./rebuild-index.sh',
        "jarvis lock ledger -- sh -c 'write-ledger --token $JARVIS_LOCK_TOKEN'",
      ) +
        `\nThe command gets JARVIS_LOCK_NAME and JARVIS_LOCK_TOKEN. Tokens of a lock only grow: what refuses a token lower than the
highest it has seen cannot be harmed by a holder that was paused.
Signals are passed on. When the lock is lost, the command and all it started get SIGTERM, then SIGKILL.
Exit codes: the command's own, or 75 not got within --wait, 79 lost while the command ran, 69 JARVIS Core is away, 126 and 127
the command cannot be run, 130 interrupted while waiting.`,
    )
    .action((name: string, command: string[], options: Parameters<typeof lockCommand>[3]) =>
      lockCommand(world, name, command, options),
    );
}

function addDemo(program: Command, world: World): void {
  program
    .command('demo')
    .description(
      'three days of an assistant in a minute, on the real system, in a home and on ports of its own',
    )
    .option('--data <file>', 'JSON lines of {text, label, split}, also .gz, instead of the shipped set')
    .option('--json', 'one summary object on stdout, nothing else')
    .addOption(
      new Option('--seed <number>', 'of everything that is drawn')
        .argParser(wholeNumber(0, Number.MAX_SAFE_INTEGER))
        .default(SEED_DEFAULT),
    )
    .option(
      '--database <url>',
      'keep the data in this Postgres instead of SQLite, in schemas of its own, dropped afterwards',
    )
    .option('--healthy-third-day', 'day 3 brings right labels instead of wrong ones')
    .option('--keep', 'keep the home and its logs')
    .addHelpText(
      'after',
      examples(
        'jarvis demo',
        'jarvis demo --json --seed 7',
        'jarvis demo --data clinc150/small.jsonl.gz',
        'jarvis demo --database postgres://me@localhost/jarvis',
      ),
    )
    .action((options: Parameters<typeof demoCommand>[1]) => demoCommand(world, options));
}

function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (Number.isSafeInteger(value) && text.trim() !== '' && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It has to be a whole number from ${min} to ${max}.`);
  };
}

function duration(text: string): number {
  const [, count, unit] = /^(\d+)([smhd])$/.exec(text) ?? [];
  const seconds = Number(count) * (DURATION_SECONDS[unit ?? ''] ?? NaN);
  if (seconds > 0 && seconds <= PAUSE_SECONDS_MAX) return seconds;
  throw new InvalidArgumentError('It has to be a time such as 90s, 30m, 2h or 1d, of a year at most.');
}

function holderId(text: string): string {
  const parsed = idSchema.safeParse(text);
  if (parsed.success) return parsed.data;
  throw new InvalidArgumentError(
    `It has to be a name: ${parsed.error.issues.map((i) => i.message).join('; ')}.`,
  );
}

function regularExpression(text: string): RegExp {
  try {
    return new RegExp(text);
  } catch (error) {
    throw new InvalidArgumentError(`It is no regular expression: ${(error as Error).message}.`);
  }
}
