// llama-server as documented, with one model or as a router: /slots, /metrics and any work wake a sleeper.
import type { ServerResponse } from 'node:http';
import {
  type Answer,
  type Heard,
  ModelServer,
  type ModelServerOptions,
  NOT_FOUND,
  pause,
} from './model-server.ts';

export interface LlamaServerOptions extends ModelServerOptions {
  readonly isRouter?: boolean;
}

export class LlamaServer extends ModelServer {
  readonly asleep = new Set<string>();
  /** Its processes end while they load. */
  readonly dying = new Set<string>();
  /** On the disk, or on their way there: in its list, and not in memory. */
  readonly fetched = new Map<string, 'downloading' | 'downloaded'>();
  readonly #isRouter: boolean;
  readonly #states = new Map<string, string>();
  readonly #failed = new Set<string>();

  constructor(options: LlamaServerOptions = {}) {
    const { isRouter = false, models = ['small', 'large'], ...rest } = options;
    super({ ...rest, models: isRouter ? models : models.slice(0, 1) });
    this.#isRouter = isRouter;
  }

  override async start(port?: number): Promise<void> {
    if (!this.#isRouter) this.load(this.models[0] ?? '');
    await super.start(port);
  }

  protected async reply(heard: Heard, res: ServerResponse): Promise<Answer | null> {
    const call = `${heard.method} ${heard.path}`;
    const model = heard.body.model ?? this.models[0] ?? '';
    if (['GET /slots', 'GET /metrics', 'POST /completion', 'POST /v1/chat/completions'].includes(call))
      await this.#wake(model);
    switch (call) {
      case 'GET /health':
        return { json: { status: 'ok' } };
      case 'GET /props':
        if (this.#isRouter) return { json: { role: 'router', max_instances: 4, models_autoload: true } };
        return { json: { default_generation_settings: { n_ctx: 4096 }, is_sleeping: this.asleep.size > 0 } };
      case 'GET /v1/models':
      case 'GET /models':
        return this.#isRouter
          ? this.#routed()
          : this.list('llamacpp', { meta: { size: this.options.memoryMb * 1024 ** 2 } });
      case 'POST /models/load':
        return this.#isRouter ? this.#load(model) : NOT_FOUND;
      case 'POST /models/unload':
        return this.#isRouter ? this.#unload(model) : NOT_FOUND;
      case 'POST /completion':
      case 'POST /v1/chat/completions':
        return await this.generate(heard, res);
      default:
        return NOT_FOUND;
    }
  }

  async #wake(model: string): Promise<void> {
    this.asleep.delete(model);
    this.load(model);
  }

  #routed(): Answer {
    const data = this.models.map((id) => {
      const there = this.asleep.has(id)
        ? 'sleeping'
        : this.loaded.has(id)
          ? 'loaded'
          : (this.fetched.get(id) ?? 'unloaded');
      const value = this.#states.get(id) ?? there;
      return { id, status: { value, ...(this.#failed.has(id) ? { failed: true, exit_code: 1 } : {}) } };
    });
    return { json: { object: 'list', data } };
  }

  /** Answers at once, and loads afterwards. */
  #load(model: string): Answer {
    if (this.loaded.has(model))
      return { status: 400, json: { error: { message: 'model is already loaded' } } };
    this.#failed.delete(model);
    this.#states.set(model, 'loading');
    void pause(this.options.loadMs).then(() => {
      this.#states.delete(model);
      if (this.dying.has(model)) this.#failed.add(model);
      else this.load(model);
    });
    return { json: { success: true } };
  }

  #unload(model: string): Answer {
    if (!this.loaded.has(model)) return { status: 400, json: { error: { message: 'model is not loaded' } } };
    void this.untilQuiet(model, this.options.graceMs).then(async (isQuiet) => {
      if (!isQuiet) this.cut(model);
      await pause(this.options.unloadMs);
      this.asleep.delete(model);
      this.unload(model);
    });
    return { json: { success: true } };
  }
}
