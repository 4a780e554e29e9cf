// `jarvis experiences import FILE...`: files in the form of others, sent to JARVIS Core as experiences.
//
//   files -> formats -> found, in order: experiences -> batches named by their content -> POST /api/experiences
//                                        what cannot be one -> listed, counted, exit code
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { experiencesResponseSchema, type ModelType } from '@jarvis/contracts';
import { type Config, readConfigOrExit, type ServiceClient } from '@jarvis/runtime';
import { CommandError, EXIT_INTERRUPTED, EXIT_NOT_ALL } from '../exit.ts';
import { withService } from '../services.ts';
import { untilInterrupted, type World } from '../world.ts';
import { type Batch, Batcher } from './batches.ts';
import { type Format, formatOf, FORMS, refuseUnteachable } from './formats.ts';
import { BrokenFile, type Found, type Mapping } from './found.ts';
import { type Languages, readLanguages } from './home-assistant.ts';
import { EXAMPLES_MAX, type ExperiencesResponse, Report } from './report.ts';
import type { InputFile, Reading } from './text.ts';

export interface ImportOptions {
  readonly format?: Format;
  readonly modelType?: ModelType;
  readonly textColumn?: string;
  readonly labelColumn?: string;
  readonly forms: number;
  readonly dryRun?: true;
  readonly json?: true;
}

/** A batch is one transaction of some thousand rows, on a disk that may be busy. */
const BATCH_TIMEOUT_MS = 60_000;

interface Source {
  readonly file: InputFile;
  readonly format: Format;
}

export async function importCommand(
  world: World,
  names: readonly string[],
  options: ImportOptions,
): Promise<void> {
  const config = readConfigOrExit(world);
  // All that can be known to be wrong is said before anything is sent.
  const sources = await sourcesOf(world, names, options);
  const mapping = await mappingOf(sources, options);
  const report = new Report(world, {
    json: options.json === true,
    dryRun: options.dryRun === true,
    bytes: sources.reduce((sum, { file }) => sum + file.bytes, 0),
  });
  const { signal, release } = untilInterrupted(world, () => process.exit(EXIT_INTERRUPTED));
  try {
    const all = { sources, mapping, report, signal };
    if (options.dryRun === true) await new Import(all, null).run();
    else await sendAll(config, all);
  } finally {
    release();
  }
  report.end();
  if (report.counts.notMapped > 0) process.exitCode = EXIT_NOT_ALL;
}

async function sendAll(config: Config, all: All): Promise<void> {
  await withService(config, 'jarvis-core', (client) => new Import(all, client).run());
}

async function sourcesOf(
  world: World,
  names: readonly string[],
  {
    format = null,
    modelType = null,
  }: { readonly format?: Format | null; readonly modelType?: ModelType | null },
): Promise<Source[]> {
  const sources: Source[] = [];
  for (const name of names) {
    const path = resolve(world.cwd, name);
    try {
      const stats = await stat(path);
      if (!stats.isFile()) throw new CommandError(`${name} is no file.`);
      const file = { name, path, bytes: stats.size };
      const found = { file, format: await formatOf(file, format) };
      refuseUnteachable(found.format, modelType);
      sources.push(found);
    } catch (error) {
      if (error instanceof CommandError) throw error;
      throw new CommandError(`${name} cannot be read: ${(error as Error).message}`);
    }
  }
  return sources;
}

type FullMapping = Mapping & { readonly languages: Languages };

async function mappingOf(sources: readonly Source[], options: ImportOptions): Promise<FullMapping> {
  const homeAssistant = sources.filter(({ format }) => format === 'home-assistant');
  return {
    modelType: options.modelType ?? null,
    textColumn: options.textColumn ?? null,
    labelColumn: options.labelColumn ?? null,
    formsMax: options.forms,
    languages: await readLanguages(homeAssistant.map(({ file }) => file)),
  };
}

interface All {
  readonly sources: readonly Source[];
  readonly mapping: FullMapping;
  readonly report: Report;
  readonly signal: AbortSignal;
}

class Import {
  readonly #all: All;
  /** null: a dry run. */
  readonly #client: ServiceClient | null;
  readonly #reading: Reading = { bytes: 0 };

  constructor(all: All, client: ServiceClient | null) {
    this.#all = all;
    this.#client = client;
  }

  async run(): Promise<void> {
    for (const source of this.#all.sources) await this.#file(source);
  }

  async #file({ file, format }: Source): Promise<void> {
    const { report, mapping } = this.#all;
    report.file(file, format);
    // A batch ends with its file, so that the same file has the same batches in whatever company.
    const batcher = new Batcher();
    let examples = 0;
    for await (const found of untilBroken(FORMS[format].read(file, mapping, this.#reading))) {
      this.#stopIfAsked();
      if ('code' in found) {
        report.notMapped(file, found);
        continue;
      }
      if (this.#client === null && examples++ < EXAMPLES_MAX) report.example(file, found);
      for (const batch of batcher.add(found)) await this.#send(file, batch);
    }
    for (const batch of batcher.end()) await this.#send(file, batch);
  }

  async #send(file: InputFile, batch: Batch): Promise<void> {
    const { report } = this.#all;
    this.#stopIfAsked();
    if (this.#client === null) report.mapped(batch);
    else report.answered(file, batch, await this.#post(this.#client, batch));
    report.progress(this.#reading.bytes);
    // What is read from memory alone would leave no turn to a signal.
    await setImmediate();
  }

  async #post(client: ServiceClient, { id, experiences }: Batch): Promise<ExperiencesResponse> {
    const how = { headers: { 'idempotency-key': id }, timeoutMs: BATCH_TIMEOUT_MS };
    try {
      return await client.post('/api/experiences', { experiences }, experiencesResponseSchema, how);
    } catch (error) {
      this.#all.report.stopped();
      throw error;
    }
  }

  #stopIfAsked(): void {
    if (!this.#all.signal.aborted) return;
    this.#all.report.stopped();
    throw new CommandError('Stopped.', EXIT_INTERRUPTED);
  }
}

/** What ends the reading of a file is the last that is found in it. */
async function* untilBroken(found: AsyncIterable<Found>): AsyncGenerator<Found> {
  try {
    yield* found;
  } catch (error) {
    if (!(error instanceof BrokenFile)) throw error;
    yield error.found;
  }
}
