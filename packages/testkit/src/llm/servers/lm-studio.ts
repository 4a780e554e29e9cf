// LM Studio as documented: instances of models; what it does not know it answers with 200 and an error.
import type { ServerResponse } from 'node:http';
import { type Answer, type Heard, ModelServer, pause } from './model-server.ts';

export class LmStudioServer extends ModelServer {
  /** Instances made so far; `loaded` has them by their id. */
  #count = 0;

  protected async reply(heard: Heard, res: ServerResponse): Promise<Answer | null> {
    const { model = '', instance_id: id = '' } = heard.body;
    switch (`${heard.method} ${heard.path}`) {
      case 'GET /api/v1/models':
        return { json: { models: this.models.map((key) => this.#told(key)) } };
      case 'POST /api/v1/models/load':
        await pause(this.options.loadMs);
        return this.#loadInstance(model);
      case 'POST /api/v1/models/unload': {
        if (!this.loaded.has(id)) return { status: 404, json: { error: { message: 'no such instance' } } };
        void pause(this.options.unloadMs).then(() => this.unload(id));
        return { json: { instance_id: id } };
      }
      case 'GET /v1/models':
        return this.list('organization_owner');
      case 'POST /v1/chat/completions':
        if (this.instancesOf(model).length === 0) this.#loadInstance(model);
        return await this.generate(heard, res);
      default:
        return { json: { error: `Unexpected endpoint or method. (${heard.method} ${heard.path})` } };
    }
  }

  instancesOf(key: string): string[] {
    return [...this.loaded.keys()].filter((id) => id.split(':')[0] === key);
  }

  #loadInstance(key: string): Answer {
    this.#count += 1;
    const id = `${key}:${this.#count}`;
    this.load(id);
    return { json: { type: 'llm', instance_id: id, load_time_seconds: 1, status: 'loaded' } };
  }

  #told(key: string): object {
    const loaded_instances = this.instancesOf(key).map((id) => ({ id, config: { context_length: 4096 } }));
    const type = key.startsWith('embed') ? 'embedding' : 'llm';
    return { type, key, size_bytes: this.options.memoryMb * 1024 ** 2, loaded_instances };
  }
}
