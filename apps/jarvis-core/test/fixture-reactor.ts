// A small Reactor Core: runs are what the test says that they are; streams go on by Last-Event-ID; evidence is counted.
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  type Evidence,
  evidenceBatchSchema,
  type modelsSchema,
  type Run,
  type TrainingStart,
  trainingStartSchema,
} from '@jarvis/contracts';
import type { z } from 'zod';
import { bodyOf, FixtureServer, json, problem } from './fixture-server.ts';

/** What the judge does with a batch. `deaf`: it takes it, and the answer is lost. */
export type Judge = 'hears' | 'away' | 'deaf';

interface FixtureRun {
  readonly body: TrainingStart;
  state: Run['state'];
  attempt: number;
  readonly events: { event: string; data: Record<string, unknown> }[];
}

export class FixtureReactor extends FixtureServer {
  readonly runs = new Map<string, FixtureRun>();
  /** Every start request that came, answered or not. */
  readonly starts: TrainingStart[] = [];
  readonly cancels: string[] = [];
  /** The Last-Event-ID of each stream that was opened. */
  readonly cursors: string[] = [];
  /** How often it was asked which runs live: each is a look of JARVIS Core. */
  looks = 0;
  readonly batches: Evidence[][] = [];
  judge: Judge = 'hears';
  /** A deployment whose evidence it calls invalid. */
  refuses: string | null = null;
  modelsAsked = 0;
  /** What it says of its kinds. */
  models: z.input<typeof modelsSchema>['models'] = {};
  /** While set, start requests are answered with this problem. */
  refusal: { status: number; code: string; detail: string } | null = null;
  /** Runs of others that it says are alive. */
  readonly strangers: Run[] = [];
  readonly #streams = new Map<string, Set<{ res: ServerResponse; sent: number }>>();

  constructor() {
    super('reactor-core');
  }

  heard(): Evidence[] {
    return [...new Map(this.batches.flat().map((e) => [e.evidence_id, e])).values()];
  }

  /** Says something on the stream of a job. */
  tell(jobId: string, event: string, data: Record<string, unknown> = {}): void {
    const run = this.runs.get(jobId);
    if (run === undefined) throw new Error(`there is no run of ${jobId}`);
    run.events.push({ event, data: { job_id: jobId, ...data } });
    if (event === 'completed' || event === 'failed' || event === 'cancelled') run.state = event;
    if (event === 'preempted') run.state = 'preempted';
    for (const reader of this.#streams.get(jobId) ?? []) this.#send(run, reader);
  }

  progress(jobId: string, epoch: number): void {
    this.tell(jobId, 'status', {
      status: 'running',
      epoch,
      total_epochs: 10,
      loss: 1 / epoch,
      accuracy: null,
      attempt: 1,
    });
  }

  complete(jobId: string, version = 'v0.1.0'): void {
    this.tell(jobId, 'completed', { status: 'completed', model_version: version, metrics: {} });
  }

  protected async answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const path = (req.url ?? '').split('?')[0] ?? '';
    const id = decodeURIComponent(path.split('/').at(-1) ?? '');
    if (path === '/api/models') {
      this.modelsAsked += 1;
      return json(res, 200, { models: this.models });
    }
    if (path === '/health') return json(res, 200, this.health());
    if (path === '/api/training/jobs') {
      this.looks += 1;
      return json(res, 200, { runs: this.#live() });
    }
    if (path === '/api/training/start') return this.#start(req, res);
    if (path.startsWith('/api/training/stream/')) return this.#stream(id, req, res);
    if (path.startsWith('/api/training/cancel/')) return this.#cancel(id, res);
    if (path === '/api/evidence') return this.#hear(req, res);
    return problem(res, 404, 'not_found', `nothing at ${path}`);
  }

  #live(): Run[] {
    const own = [...this.runs].filter(([, run]) => run.state === 'running');
    return [
      ...this.strangers,
      ...own.map(([jobId, run]) =>
        runOf(jobId, { attempt: run.attempt, token: run.body.fencing_token ?? 1 }),
      ),
    ];
  }

  async #start(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const body = trainingStartSchema.parse(await bodyOf(req));
    this.starts.push(body);
    if (this.refusal !== null)
      return problem(res, this.refusal.status, this.refusal.code, this.refusal.detail);
    const known = this.runs.get(body.job_id);
    const attempt = known === undefined ? 1 : known.attempt + (known.state === 'running' ? 0 : 1);
    this.runs.set(body.job_id, { body, state: 'running', attempt, events: known?.events ?? [] });
    return json(res, 200, {
      job_id: body.job_id,
      status: 'started',
      message: 'started',
      estimated_duration_seconds: 1,
      attempt,
    });
  }

  #stream(jobId: string, req: IncomingMessage, res: ServerResponse): void {
    const run = this.runs.get(jobId);
    if (run === undefined) return problem(res, 404, 'not_found', `there is no run of ${jobId}`);
    const last = String(req.headers['last-event-id'] ?? '0');
    this.cursors.push(last);
    res.writeHead(200, { 'content-type': 'text/event-stream' });
    res.flushHeaders();
    const reader = { res, sent: Number(last) };
    const readers = this.#streams.get(jobId) ?? new Set();
    this.#streams.set(jobId, readers.add(reader));
    res.once('close', () => readers.delete(reader));
    this.#send(run, reader);
  }

  #send(run: FixtureRun, reader: { res: ServerResponse; sent: number }): void {
    for (const { event, data } of run.events.slice(reader.sent)) {
      reader.sent += 1;
      reader.res.write(`id: ${reader.sent}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
      if (event === 'completed' || event === 'failed' || event === 'cancelled') reader.res.end();
    }
  }

  #cancel(jobId: string, res: ServerResponse): void {
    this.cancels.push(jobId);
    if (!this.runs.has(jobId)) return problem(res, 404, 'not_found', `there is no run of ${jobId}`);
    json(res, 200, { job_id: jobId, status: 'cancelled', message: 'asked to stop' });
    this.tell(jobId, 'cancelled', { status: 'cancelled' });
  }

  async #hear(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const { evidence } = evidenceBatchSchema.parse(await bodyOf(req));
    if (this.judge === 'away') return problem(res, 503, 'service_unavailable', 'the judge is away');
    if (evidence.some((e) => e.deployment_id === this.refuses))
      return problem(res, 400, 'invalid_request', 'this evidence is not understood');
    const known = new Set(this.heard().map((e) => e.evidence_id));
    const repeated = evidence.filter((e) => known.has(e.evidence_id)).length;
    this.batches.push(evidence);
    if (this.judge === 'deaf') return void res.destroy();
    return json(res, 200, { accepted: evidence.length - repeated, repeated, unknown_deployment: 0 });
  }
}

export function runOf(jobId: string, over: Partial<Run> = {}): Run {
  return {
    job_id: jobId,
    attempt: 1,
    model_type: 'nlu',
    state: 'running',
    token: 1,
    slot: 0,
    lease_id: null,
    need: null,
    pid: null,
    epoch: 0,
    total_epochs: 10,
    created_at: '2026-11-24T00:00:00Z',
    ended_at: null,
    ...over,
  };
}
