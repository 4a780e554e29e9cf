// node-llama-cpp, which is installed by `npm run setup:llm` and by nothing else: where it lies, and what is used of it.
// Loaded by name at run time, so that everything else works, and is checked, without it.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const LIBRARY = 'node-llama-cpp';
/** A folder of its own: `npm ci` does not take it away, and it brings nothing else along. */
export const LIBRARY_FOLDER = fileURLToPath(new URL('../../../../../../.llm-library', import.meta.url));
export const NOT_INSTALLED = `${LIBRARY} is not installed: npm run setup:llm`;

/** Its main file; null where it is not installed. */
export function findLibrary(folder: string): string | null {
  try {
    return createRequire(join(folder, 'package.json')).resolve(LIBRARY);
  } catch {
    return null;
  }
}

export async function loadLibrary(file: string): Promise<Library> {
  return (await import(pathToFileURL(file).href)) as Library;
}

export interface Library {
  getLlama(options: {
    readonly gpu: false;
    readonly build: 'never';
    readonly skipDownload: true;
    readonly progressLogs: false;
    readonly logLevel: 'error';
    readonly maxThreads: number;
  }): Promise<Llama>;
  readonly LlamaChat: new (options: { readonly contextSequence: Sequence }) => Chat;
  readonly LlamaCompletion: new (options: { readonly contextSequence: Sequence }) => Completion;
}

interface Llama {
  loadModel(options: { readonly modelPath: string }): Promise<Model>;
}

export interface Model {
  readonly trainContextSize: number;
  readonly tokenizer: unknown;
  tokenize(text: string): readonly number[];
  createContext(options: {
    readonly contextSize: number;
    readonly threads: number;
    readonly sequences: 1;
  }): Promise<Context>;
  createEmbeddingContext(options: {
    readonly contextSize: number;
    readonly threads: number;
  }): Promise<EmbeddingContext>;
}

interface Context {
  readonly contextSize: number;
  getSequence(): Sequence;
}

export interface Sequence {
  clearHistory(): Promise<void>;
}

export interface EmbeddingContext {
  getEmbeddingFor(text: string): Promise<{ readonly vector: readonly number[] }>;
  dispose(): Promise<void>;
}

export type ChatTurn =
  | { readonly type: 'system' | 'user'; readonly text: string }
  | { readonly type: 'model'; readonly response: readonly string[] };

interface GenerateOptions {
  readonly maxTokens: number;
  readonly temperature: number;
  readonly topP?: number;
  readonly seed?: number;
  readonly customStopTriggers?: readonly string[];
  readonly signal: AbortSignal;
  readonly stopOnAbortSignal: true;
  readonly onTextChunk: (text: string) => void;
  readonly onToken: (tokens: readonly number[]) => void;
}

interface Generated {
  readonly response: string;
  readonly metadata: { readonly stopReason: string };
}

export interface Chat {
  readonly chatWrapper: {
    generateContextState(options: { readonly chatHistory: readonly ChatTurn[] }): {
      readonly contextText: { tokenize(tokenizer: unknown): readonly number[] };
    };
  };
  generateResponse(history: readonly ChatTurn[], options: GenerateOptions): Promise<Generated>;
  dispose(options: { readonly disposeSequence: false }): void;
}

export interface Completion {
  generateCompletionWithMeta(prompt: string, options: GenerateOptions): Promise<Generated>;
  dispose(options: { readonly disposeSequence: false }): void;
}
