// A GGUF file as an LLM server: the command engine with our own program as its command. Only its end is offered as a way
// to give memory back: that frees everything for certain, and a start is hardly slower than loading again.
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { LlmEngine } from '../../engine.ts';
import { type CommandEngineOptions, createCommandEngine } from '../command-engine.ts';
import { fileObstacle } from './gguf-file.ts';
import { findLibrary, LIBRARY_FOLDER, NOT_INSTALLED } from './library.ts';

type Passed = Omit<
  CommandEngineOptions,
  'command' | 'args' | 'port' | 'host' | 'healthPath' | 'name' | 'obstacle'
>;

export interface GgufEngineOptions extends Passed {
  /** Absolute. */
  readonly modelPath: string;
  /** The server's own default where it is not given. */
  readonly contextTokens?: number;
  readonly threads?: number;
  /** Where node-llama-cpp is installed. */
  readonly libraryFolder?: string;
}

const PROGRAM = fileURLToPath(new URL('./server.ts', import.meta.url));

export async function createGgufEngine(options: GgufEngineOptions): Promise<LlmEngine> {
  const { modelPath, contextTokens, threads, libraryFolder = LIBRARY_FOLDER, ...passed } = options;
  const settings = Object.entries({ context: contextTokens, threads, library: libraryFolder }).flatMap(
    ([name, value]) => (value === undefined ? [] : [`--${name}`, String(value)]),
  );
  return await createCommandEngine({
    ...passed,
    command: process.execPath,
    args: [PROGRAM, '--model', modelPath, '--port', '{port}', ...settings],
    host: '127.0.0.1',
    name: basename(modelPath),
    obstacle: async () =>
      findLibrary(libraryFolder) === null ? NOT_INSTALLED : await fileObstacle(modelPath),
  });
}
