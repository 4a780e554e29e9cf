// A small J-Prime: understands whatever it is told to understand, makes room when asked, and keeps count.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { makeRoomRequestSchema, predictRequestSchema, type PredictResponse } from '@jarvis/contracts';
import { bodyOf, FixtureServer, json, problem } from './fixture-server.ts';

export class FixturePrime extends FixtureServer {
  /** What it answers; null: no version is served. */
  prediction: PredictResponse | null = {
    output: { intent: 'lights_on' },
    confidence: 0.9,
    version: 'v0.1.0',
    arm: 'stable',
    rollout: null,
  };
  readonly asked: unknown[] = [];
  readonly roomRequests: string[] = [];
  restores = 0;

  constructor() {
    super('j-prime');
  }

  protected async answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const path = (req.url ?? '').split('?')[0] ?? '';
    if (path === '/health') return json(res, 200, this.health());
    if (path === '/api/resources')
      return json(res, 200, { memory_usage_gb: 0.1, active_requests: 0, idle_seconds: 1000, models: [] });
    if (path === '/api/predict/nlu') return this.#predict(req, res);
    if (path === '/api/memory/make-room') {
      const { request_id } = makeRoomRequestSchema.parse(await bodyOf(req));
      this.roomRequests.push(request_id);
      return json(res, 200, this.#room(request_id));
    }
    if (path === '/api/memory/restore') {
      this.restores += 1;
      return json(res, 200, { restored: [] });
    }
    if (path.startsWith('/api/memory/make-room/')) return json(res, 200, this.#room(path.slice(22)));
    return problem(res, 404, 'not_found', `nothing at ${path}`);
  }

  async #predict(req: IncomingMessage, res: ServerResponse): Promise<void> {
    this.asked.push(predictRequestSchema.parse(await bodyOf(req)));
    if (this.prediction === null) return problem(res, 503, 'no_version', 'no version of nlu is served yet');
    return json(res, 200, this.prediction);
  }

  #room(requestId: string): unknown {
    return { request_id: requestId, state: 'done', steps: [], freed_bytes: 0, reason: 'nothing to give' };
  }
}
