// Reactor Core as its clients see it: calls, problems, and the events of a job.
import assert from 'node:assert/strict';
import {
  type Deployment,
  deploymentSchema,
  type ErrorCode,
  type Evidence,
  type Problem,
  problemSchema,
  type RolloutReport,
  rolloutReportSchema,
  type Routes,
  routesSchema,
  type Run,
  runsSchema,
  TRAINING_STREAM_EVENTS,
  type TrainingStarted,
  trainingStartedSchema,
  type TrainingStartInput,
  type TrainingStatus,
  trainingStatusSchema,
  type TrainingStreamEventName,
} from '@jarvis/contracts';
import { readSse } from '@jarvis/runtime';
import { until } from './until.ts';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
}

export interface JobEvent {
  readonly id: number;
  readonly name: TrainingStreamEventName;
  readonly data: Readonly<Record<string, unknown>>;
}

export class Client {
  readonly url: string;

  constructor(url: string) {
    this.url = url;
  }

  async call(method: string, path: string, body?: unknown): Promise<Answer> {
    const sent =
      body === undefined
        ? {}
        : {
            body: typeof body === 'string' ? body : JSON.stringify(body),
            headers: { 'content-type': 'application/json' },
          };
    const response = await fetch(this.url + path, { method, ...sent });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: parsed(text) };
  }

  /** The answer as a problem with this code; its form is checked. */
  async problem(code: ErrorCode, [method, path, body]: [string, string, unknown?]): Promise<Problem> {
    const answer = await this.call(method, path, body);
    assert.match(answer.headers.get('content-type') ?? '', /^application\/problem\+json/, path);
    const problem = problemSchema.parse(answer.body);
    assert.equal(problem.code, code, problem.detail);
    assert.equal(problem.status, answer.status);
    assert.equal(problem.error, problem.detail, 'the earlier contract has `error`');
    return problem;
  }

  async must(method: string, path: string, body?: unknown): Promise<unknown> {
    const answer = await this.call(method, path, body);
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    return answer.body;
  }

  async must202(path: string): Promise<void> {
    assert.equal((await this.call('POST', path)).status, 202);
  }

  async start(body: TrainingStartInput): Promise<TrainingStarted> {
    return trainingStartedSchema.parse(await this.must('POST', '/api/training/start', body));
  }

  async status(jobId: string): Promise<TrainingStatus> {
    return trainingStatusSchema.parse(await this.must('GET', `/api/training/status/${jobId}`));
  }

  async runs(query = ''): Promise<Run[]> {
    return runsSchema.parse(await this.must('GET', `/api/training/jobs${query}`)).runs;
  }

  /** The job's events after `after`, as they come, each checked against its schema: no field more, none less. */
  async *events(jobId: string, after = 0, gone = new AbortController()): AsyncGenerator<JobEvent, void> {
    const url = `${this.url}/api/training/stream/${jobId}`;
    const lastEventId = after === 0 ? null : String(after);
    try {
      for await (const event of readSse({ url, lastEventId, token: null, signal: gone.signal })) {
        const name = event.event as TrainingStreamEventName;
        const data = TRAINING_STREAM_EVENTS[name].strict().parse(event.data);
        yield { id: Number(event.id), name, data };
      }
    } finally {
      gone.abort();
    }
  }

  /** All events up to the end of the stream. */
  async eventsToEnd(jobId: string, after = 0): Promise<JobEvent[]> {
    const seen: JobEvent[] = [];
    for await (const event of this.events(jobId, after)) seen.push(event);
    return seen;
  }

  /** The events up to the first that fits. */
  async eventsUntil(jobId: string, fits: (event: JobEvent) => boolean, after = 0): Promise<JobEvent[]> {
    const seen: JobEvent[] = [];
    for await (const event of this.events(jobId, after)) {
      seen.push(event);
      if (fits(event)) return seen;
    }
    return assert.fail(`the stream ended before: ${seen.map((e) => e.name).join(', ')}`);
  }

  async deployment(id: string): Promise<Deployment> {
    return deploymentSchema.parse(await this.must('GET', `/api/deployments/${id}`));
  }

  /** Waits until a deployment fits. */
  async deploymentThat(
    id: string,
    what: string,
    fits: (deployment: Deployment) => boolean,
  ): Promise<Deployment> {
    let last: Deployment | undefined;
    await until(
      () => `${what}: ${JSON.stringify(last)}`,
      async () => fits((last = await this.deployment(id))),
    );
    assert.ok(last);
    return last;
  }

  deploymentIn(id: string, state: Deployment['state']): Promise<Deployment> {
    return this.deploymentThat(id, `${id} to be ${state}`, (d) => d.state === state);
  }

  async deploy(version: string, more: object = {}): Promise<string> {
    const body = { model_type: 'nlu', model_version: version, ...more };
    return ((await this.must('POST', '/api/models/deploy', body)) as Deployment).deployment_id;
  }

  async report(id: string): Promise<RolloutReport> {
    return rolloutReportSchema.parse(await this.must('GET', `/api/deployments/${id}/report`));
  }

  evidence(evidence: readonly Evidence[]): Promise<unknown> {
    return this.must('POST', '/api/evidence', { evidence });
  }

  async routes(): Promise<Routes> {
    return routesSchema.parse(await this.must('GET', '/api/routes'));
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
