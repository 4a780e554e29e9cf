// vLLM as documented: one model, there from the start; it sleeps where it was started for that. `abort` cuts requests off,
// `wait` waits for them.
import type { ServerResponse } from 'node:http';
import { type Answer, type Heard, ModelServer, type ModelServerOptions, NOT_FOUND } from './model-server.ts';

const ENDS = { text: '' } as const;

export interface VllmOptions extends ModelServerOptions {
  /** false: --enable-sleep-mode was left out: it says that it sleeps, and keeps all that it has. */
  readonly frees?: boolean;
}

export class VllmServer extends ModelServer {
  /** VLLM_SERVER_DEV_MODE. */
  isDevMode = true;
  level: 0 | 1 | 2 = 0;
  /** Level 1 whatever is asked for. */
  onlyLevel1 = false;
  readonly #awake = new Set(['weights', 'kv_cache']);
  readonly #frees: boolean;
  #hasWeights = true;

  constructor({ frees = true, ...options }: VllmOptions = {}) {
    super(options);
    this.#frees = frees;
  }

  override async start(port?: number): Promise<void> {
    this.load(this.models[0] ?? '');
    await super.start(port);
  }

  protected async reply(heard: Heard, res: ServerResponse): Promise<Answer | null> {
    const url = new URL(heard.path, 'http://vllm');
    const isDevCall = ['/sleep', '/wake_up', '/is_sleeping', '/collective_rpc'].includes(url.pathname);
    if (isDevCall && !this.isDevMode) return NOT_FOUND;
    switch (`${heard.method} ${url.pathname}`) {
      case 'GET /version':
        return { json: { version: '0.15.0' } };
      case 'GET /health':
        return ENDS;
      case 'GET /v1/models':
        return { json: { object: 'list', data: [{ id: this.models[0], owned_by: 'vllm' }] } };
      case 'GET /metrics':
        return { text: this.#metrics() };
      case 'GET /is_sleeping':
        return { json: { is_sleeping: this.level > 0 } };
      case 'POST /sleep':
        return await this.#sleep(url.searchParams);
      case 'POST /wake_up':
        return this.#wake(url.searchParams.getAll('tags'));
      case 'POST /collective_rpc':
        if (heard.body.method !== 'reload_weights' || !this.#awake.has('weights'))
          return { status: 500, json: { error: 'the weights have no room' } };
        this.#hasWeights = true;
        return { json: { results: [null] } };
      case 'POST /v1/chat/completions':
        if (this.level > 0 || !this.#hasWeights) return { status: 500, json: { error: 'EngineDeadError' } };
        return await this.generate(heard, res);
      default:
        return NOT_FOUND;
    }
  }

  async #sleep(query: URLSearchParams): Promise<Answer> {
    const model = this.models[0] ?? '';
    if (query.get('mode') === 'wait') await this.untilQuiet(model, this.options.graceMs);
    else this.cut(model);
    this.level = this.onlyLevel1 || query.get('level') !== '2' ? 1 : 2;
    this.#awake.clear();
    if (this.level === 2) {
      this.#hasWeights = false;
      if (this.#frees) this.unload(model);
    }
    return ENDS;
  }

  #wake(tags: readonly string[]): Answer {
    for (const tag of tags.length === 0 ? ['weights', 'kv_cache'] : tags) this.#awake.add(tag);
    if (this.#awake.has('weights')) this.load(this.models[0] ?? '');
    if (this.#awake.size === 2) this.level = 0;
    return ENDS;
  }

  #metrics(): string {
    const labels = `engine="0",model_name="${this.models[0]}"`;
    const state = (name: string, on: boolean): string =>
      `vllm:engine_sleep_state{${labels},sleep_state="${name}"} ${on ? '1.0' : '0.0'}`;
    return [
      '# HELP vllm:num_requests_running Number of requests in model execution batches.',
      '# TYPE vllm:num_requests_running gauge',
      `vllm:num_requests_running{${labels}} ${this.busy(this.models[0] ?? '')}.0`,
      `vllm:num_requests_waiting{${labels}} 0.0`,
      `vllm:num_requests_waiting_by_reason{${labels},reason="capacity"} 7.0`,
      state('awake', this.level === 0),
      state('weights_offloaded', this.level === 1),
      state('discard_all', this.level === 2),
    ].join('\n');
  }
}
