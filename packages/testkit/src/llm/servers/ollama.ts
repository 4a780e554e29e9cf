// Ollama as documented: it loads when it is asked something, answers an unload at once, and unloads when requests are over.
import type { ServerResponse } from 'node:http';
import { type Answer, type Asked, type Heard, ModelServer, NOT_FOUND, pause } from './model-server.ts';

export class OllamaServer extends ModelServer {
  protected async reply(heard: Heard, res: ServerResponse): Promise<Answer | null> {
    switch (`${heard.method} ${heard.path}`) {
      case 'GET /api/version':
        return { json: { version: '0.12.0' } };
      case 'GET /api/tags':
        return { json: { models: this.models.map((name) => ({ name, model: name, size: 1 })) } };
      case 'GET /api/ps': {
        const [size, size_vram] = [this.options.memoryMb * 1024 ** 2, 0];
        return {
          json: { models: [...this.loaded.keys()].map((name) => ({ name, model: name, size, size_vram })) },
        };
      }
      case 'POST /api/generate':
        return await this.#generate(heard.body);
      case 'POST /v1/chat/completions': {
        this.load(heard.body.model ?? '');
        return await this.generate(heard, res);
      }
      case 'GET /v1/models':
        return this.list('library');
      default:
        return NOT_FOUND;
    }
  }

  async #generate({ model: name = '', keep_alive }: Asked): Promise<Answer> {
    if (!this.models.includes(name))
      return { status: 404, json: { error: `model '${name}' not found, try pulling it first` } };
    if (keep_alive === 0) {
      void this.untilQuiet(name, 60_000)
        .then(() => pause(this.options.unloadMs))
        .then(() => this.unload(name));
      return { json: { model: name, response: '', done: true, done_reason: 'unload' } };
    }
    await pause(this.options.loadMs);
    this.load(name);
    return { json: { model: name, response: '', done: true, done_reason: 'load' } };
  }
}
