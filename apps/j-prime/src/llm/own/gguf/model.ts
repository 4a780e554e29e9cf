// A model in this process: chat, completion and vectors, one at a time.
import type { ChatTurn, EmbeddingContext, Library, Model, Sequence } from './library.ts';

export interface ModelOptions {
  readonly modelPath: string;
  /** Upper limit: the model's own, if it is smaller, counts. */
  readonly contextTokens: number;
  readonly threads: number;
}

export interface Wish {
  readonly maxTokens: number | null;
  readonly temperature: number;
  readonly topP: number | null;
  readonly seed: number | null;
  readonly stop: readonly string[];
  readonly signal: AbortSignal;
  readonly onText: (text: string) => void;
}

export interface Said {
  readonly text: string;
  readonly promptTokens: number;
  readonly tokens: number;
  readonly reason: 'stop' | 'length';
}

/** The prompt leaves no room for an answer. */
export class PromptTooLong extends Error {
  override readonly name = 'PromptTooLong';
}

export class LoadedModel {
  readonly contextTokens: number;
  readonly #library: Library;
  readonly #model: Model;
  readonly #sequence: Sequence;
  readonly #threads: number;
  #embedding: EmbeddingContext | null = null;

  private constructor(
    library: Library,
    model: Model,
    context: { sequence: Sequence; tokens: number; threads: number },
  ) {
    this.#library = library;
    this.#model = model;
    this.#sequence = context.sequence;
    this.contextTokens = context.tokens;
    this.#threads = context.threads;
  }

  static async open(library: Library, options: ModelOptions): Promise<LoadedModel> {
    const { modelPath, threads } = options;
    const llama = await library.getLlama({
      gpu: false,
      build: 'never',
      skipDownload: true,
      progressLogs: false,
      logLevel: 'error',
      maxThreads: threads,
    });
    const model = await llama.loadModel({ modelPath });
    const contextSize = Math.min(options.contextTokens, model.trainContextSize);
    const context = await model.createContext({ contextSize, threads, sequences: 1 });
    return new LoadedModel(library, model, {
      sequence: context.getSequence(),
      tokens: context.contextSize,
      threads,
    });
  }

  async chat(turns: readonly ChatTurn[], wish: Wish): Promise<Said> {
    const chat = new this.#library.LlamaChat({ contextSequence: this.#sequence });
    try {
      const history: ChatTurn[] = [...turns, { type: 'model', response: [] }];
      const { contextText } = chat.chatWrapper.generateContextState({ chatHistory: history });
      const promptTokens = contextText.tokenize(this.#model.tokenizer).length;
      return await this.#generate(promptTokens, wish, (options) => chat.generateResponse(history, options));
    } finally {
      chat.dispose({ disposeSequence: false });
    }
  }

  async complete(prompt: string, wish: Wish): Promise<Said> {
    const completion = new this.#library.LlamaCompletion({ contextSequence: this.#sequence });
    try {
      const promptTokens = this.countTokens(prompt);
      return await this.#generate(promptTokens, wish, (options) =>
        completion.generateCompletionWithMeta(prompt, options),
      );
    } finally {
      completion.dispose({ disposeSequence: false });
    }
  }

  async embed(text: string): Promise<readonly number[]> {
    if (this.countTokens(text) >= this.contextTokens) throw this.#tooLong(this.countTokens(text));
    this.#embedding ??= await this.#model.createEmbeddingContext({
      contextSize: this.contextTokens,
      threads: this.#threads,
    });
    return (await this.#embedding.getEmbeddingFor(text)).vector;
  }

  countTokens(text: string): number {
    return this.#model.tokenize(text).length;
  }

  async #generate(
    promptTokens: number,
    wish: Wish,
    run: (
      options: Parameters<InstanceType<Library['LlamaChat']>['generateResponse']>[1],
    ) => Promise<{ response: string; metadata: { stopReason: string } }>,
  ): Promise<Said> {
    // Never shifts the context: what fell out of it would be missed by who asked.
    const room = this.contextTokens - promptTokens - 1;
    if (room < 1) throw this.#tooLong(promptTokens);
    let tokens = 0;
    const { response, metadata } = await run({
      maxTokens: Math.min(wish.maxTokens ?? room, room),
      temperature: wish.temperature,
      ...(wish.topP === null ? {} : { topP: wish.topP }),
      ...(wish.seed === null ? {} : { seed: wish.seed }),
      ...(wish.stop.length === 0 ? {} : { customStopTriggers: wish.stop }),
      signal: wish.signal,
      stopOnAbortSignal: true,
      onTextChunk: wish.onText,
      onToken: (more) => {
        tokens += more.length;
      },
    });
    const reason = metadata.stopReason === 'maxTokens' ? 'length' : 'stop';
    return { text: response, promptTokens, tokens, reason };
  }

  #tooLong(tokens: number): PromptTooLong {
    return new PromptTooLong(
      `the prompt has ${tokens} tokens, and the context ${this.contextTokens}: there is no room for an answer`,
    );
  }
}
