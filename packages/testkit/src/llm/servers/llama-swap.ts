// llama-swap as documented: a process for each model, started by any request that names it. An unload stops it and waits
// for that; requests have `graceMs` and are then cut off.
import type { ServerResponse } from 'node:http';
import { type Answer, type Heard, ModelServer, NOT_FOUND, pause } from './model-server.ts';

export class LlamaSwapServer extends ModelServer {
  /** Before v161 and v235. */
  isOld = false;
  /** From v161 to v234 its events tell nothing of requests. */
  tellsInflight = true;
  readonly #states = new Map<string, 'starting' | 'stopping'>();

  protected async reply(heard: Heard, res: ServerResponse): Promise<Answer | null> {
    const upstream = /^\/upstream\/([^/]+)\/health$/.exec(heard.path)?.[1];
    if (upstream !== undefined) {
      await this.#start(decodeURIComponent(upstream));
      return { json: { status: 'ok' } };
    }
    switch (`${heard.method} ${heard.path}`) {
      case 'GET /running':
        return { json: { running: this.#running() } };
      case 'POST /api/models/unload':
        return this.isOld ? NOT_FOUND : await this.#unloadAll({ json: { msg: 'ok' } });
      case 'GET /unload':
        return await this.#unloadAll({ text: 'OK' });
      case 'GET /api/version':
        return this.isOld ? NOT_FOUND : { json: { version: '240', commit: 'abc', build_date: 'unknown' } };
      case 'GET /api/events':
        return this.isOld ? NOT_FOUND : this.#events(res);
      case 'GET /v1/models':
        return this.list('llama-swap');
      case 'POST /v1/chat/completions':
        await this.#start(heard.body.model ?? '');
        return await this.generate(heard, res);
      default:
        return NOT_FOUND;
    }
  }

  #running(): object[] {
    const names = new Set([...this.loaded.keys(), ...this.#states.keys()]);
    return [...names].map((model) => ({ model, state: this.#states.get(model) ?? 'ready', ttl: 0 }));
  }

  async #start(model: string): Promise<void> {
    if (this.loaded.has(model)) return;
    this.#states.set(model, 'starting');
    await pause(this.options.loadMs);
    this.load(model);
    this.#states.delete(model);
  }

  async #unloadAll(answer: Answer): Promise<Answer> {
    await Promise.all(
      [...this.loaded.keys()].map(async (model) => {
        this.#states.set(model, 'stopping');
        if (!(await this.untilQuiet(model, this.options.graceMs))) this.cut(model);
        await pause(this.options.unloadMs);
        this.unload(model);
        this.#states.delete(model);
      }),
    );
    return answer;
  }

  /** Stays open, as the real one: who reads it ends it. */
  #events(res: ServerResponse): null {
    res.writeHead(200, { 'content-type': 'text/event-stream' });
    const send = (type: string, data: object): boolean =>
      res.write(`event:message\ndata:${JSON.stringify({ type, data: JSON.stringify(data) })}\n\n`);
    send('logData', { source: 'proxy', data: 'some lines' });
    if (this.tellsInflight)
      send('inflight', { total: [...this.running.values()].reduce((sum, n) => sum + n, 0) });
    return null;
  }
}
