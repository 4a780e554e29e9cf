// LocalAI as documented: also in Ollama's manner; its shutdown waits for requests, and then says that they still run.
import type { ServerResponse } from 'node:http';
import { type Answer, type Heard, ModelServer, NOT_FOUND, pause } from './model-server.ts';

export class LocalAiServer extends ModelServer {
  /** Before 4.6 there is no /backend/load. */
  isOld = false;

  protected async reply(heard: Heard, res: ServerResponse): Promise<Answer | null> {
    const { model = '' } = heard.body;
    const loaded_models = [...this.loaded.keys()].map((id) => ({ id }));
    switch (`${heard.method} ${heard.path}`) {
      case 'GET /system':
        return { json: { backends: ['llama-cpp'], loaded_models } };
      case 'GET /version':
      case 'GET /api/version':
        return { json: { version: 'v4.6.0' } };
      case 'GET /api/ps':
        return { json: { models: loaded_models.map(({ id }) => ({ name: id, size: 1 })) } };
      case 'GET /v1/models':
        return this.list('');
      case 'POST /backend/load':
        if (this.isOld) return NOT_FOUND;
        await pause(this.options.loadMs);
        this.load(model);
        return { json: { message: 'ok' } };
      case 'POST /backend/shutdown':
        if (!(await this.untilQuiet(model, this.options.graceMs)))
          return { status: 500, json: { error: { message: `model ${model} is still busy` } } };
        await pause(this.options.unloadMs);
        this.unload(model);
        return { json: {} };
      case 'POST /v1/chat/completions':
        this.load(model);
        return await this.generate(heard, res);
      default:
        return NOT_FOUND;
    }
  }
}
