// A small Reactor Core: a real HTTP server with a stream of routes, artifacts by digest, and a judge that keeps what it hears.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Evidence, evidenceBatchSchema, type Route, type Routes } from '@jarvis/contracts';
import { ReturningServer } from '@jarvis/testkit';
import type { FixtureModel } from './fixture-models.ts';

/** What the judge does with a batch. `deaf`: it takes it, and the answer is lost. */
export type Judge = 'hears' | 'away' | 'deaf';

export class FixtureReactor extends ReturningServer {
  readonly blobs = new Map<string, Buffer>();
  /** Every batch as it came, repetitions too. */
  readonly batches: Evidence[][] = [];
  judge: Judge = 'hears';
  /** A deployment whose evidence it calls invalid. */
  refuses: string | null = null;
  artifactRequests = 0;
  #routes: Routes = { revision: 0, routes: [] };
  readonly #streams = new Set<ServerResponse>();

  override async stop(): Promise<void> {
    await super.stop();
    this.#streams.clear();
  }

  addModel(model: FixtureModel): void {
    for (const [sha256, bytes] of model.blobs) this.blobs.set(sha256, bytes);
  }

  /** Sets the routes of nlu and tells every reader. */
  route(stable: FixtureModel, candidate: Candidate | null = null): void {
    const route: Route = {
      model_type: 'nlu',
      stable: { version: stable.version, digest: stable.digest },
      candidate:
        candidate === null
          ? null
          : {
              version: candidate.model.version,
              digest: candidate.model.digest,
              deployment_id: candidate.deploymentId ?? 'deployment-1',
              salt: candidate.salt ?? 'salt-1',
              weight: candidate.weight,
              step: candidate.step ?? 0,
            },
    };
    for (const model of [stable, candidate?.model]) if (model !== undefined) this.addModel(model);
    this.#routes = { revision: this.#routes.revision + 1, routes: [route] };
    for (const stream of this.#streams) stream.write(this.#snapshot());
  }

  /** A Reactor Core that was set up anew. */
  forgetRevisions(): void {
    this.#routes = { ...this.#routes, revision: 0 };
  }

  /** What the judge made of it all: each evidence once. */
  heard(): Evidence[] {
    const byId = new Map(this.batches.flat().map((evidence) => [evidence.evidence_id, evidence]));
    return [...byId.values()];
  }

  countRequests(arm: 'stable' | 'candidate'): number {
    return this.heard().reduce((n, e) => n + (e.kind === 'requests' && e.arm === arm ? e.count : 0), 0);
  }

  #snapshot(): string {
    return `id: ${this.#routes.revision}\nevent: routes\ndata: ${JSON.stringify(this.#routes)}\n\n`;
  }

  protected async answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    if (req.url === '/api/routes/stream') {
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      this.#streams.add(res);
      res.once('close', () => this.#streams.delete(res));
      res.write(this.#snapshot());
      return;
    }
    if (req.url === '/api/evidence') return this.#hear(req, res);
    const sha256 = /^\/api\/artifacts\/([0-9a-f]{64})$/.exec(req.url ?? '')?.[1];
    const bytes = this.blobs.get(sha256 ?? '');
    this.artifactRequests += 1;
    res.writeHead(bytes === undefined ? 404 : 200).end(bytes);
  }

  async #hear(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk as Buffer);
    if (this.judge === 'away') return void res.writeHead(503).end();
    const { evidence } = evidenceBatchSchema.parse(JSON.parse(Buffer.concat(chunks).toString('utf8')));
    if (evidence.some((e) => e.deployment_id === this.refuses)) return void res.writeHead(400).end();
    const known = new Set(this.heard().map((e) => e.evidence_id));
    const repeated = evidence.filter((e) => known.has(e.evidence_id)).length;
    this.batches.push(evidence);
    if (this.judge === 'deaf') return void res.destroy();
    res.writeHead(200, { 'content-type': 'application/json' });
    res.end(JSON.stringify({ accepted: evidence.length - repeated, repeated, unknown_deployment: 0 }));
  }
}

export interface Candidate {
  readonly model: FixtureModel;
  readonly weight: number;
  readonly step?: number;
  readonly deploymentId?: string;
  readonly salt?: string;
}
