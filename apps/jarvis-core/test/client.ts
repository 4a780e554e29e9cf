// A client of JARVIS Core: plain fetch, answers as they came, and the shapes that tests ask for again and again.
import assert from 'node:assert/strict';
import {
  type ErrorCode,
  type Experience,
  type Health,
  healthSchema,
  type Job,
  type Lease,
  leaseSchema,
  type Problem,
  problemSchema,
} from '@jarvis/contracts';
import { type ReceivedEvent, readSse } from '@jarvis/runtime';
import { until } from '@jarvis/testkit';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
}

export class Client {
  readonly url: string;
  readonly token: string | null;

  constructor(url: string, token: string | null = null) {
    this.url = url;
    this.token = token;
  }

  async call(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Answer> {
    const response = await fetch(this.url + path, {
      method,
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(this.token === null ? {} : { authorization: `Bearer ${this.token}` }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = /^application\/(problem\+)?json/.test(response.headers.get('content-type') ?? '');
    return {
      status: response.status,
      headers: response.headers,
      body: isJson ? (JSON.parse(text) as unknown) : text,
    };
  }

  /** The answer of a call that has to work. */
  async ok<T>(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<T> {
    const answer = await this.call(method, path, body, headers);
    assert.equal(answer.status, 200, `${method} ${path}: ${JSON.stringify(answer.body)}`);
    return answer.body as T;
  }

  /** The problem that a call has to end with. */
  async refused(code: ErrorCode, ...call: Parameters<Client['call']>): Promise<Problem> {
    const answer = await this.call(...call);
    const problem = problemSchema.parse(answer.body);
    assert.equal(problem.code, code, JSON.stringify(problem));
    assert.equal(answer.status, problem.status);
    assert.match(answer.headers.get('content-type') ?? '', /^application\/problem\+json/);
    assert.equal(problem.error, problem.detail, 'clients of the earlier contract read `error`');
    return problem;
  }

  async health(): Promise<Health> {
    return healthSchema.parse((await this.call('GET', '/health')).body);
  }

  /** Stores commands with the intent that is expected, as one batch. */
  store(
    experiences: readonly Experience[],
    key?: string,
  ): Promise<{ batch_id: string; stored: number; repeated: boolean }> {
    return this.ok(
      'POST',
      '/api/experiences',
      { experiences },
      key === undefined ? {} : { 'idempotency-key': key },
    );
  }

  async count(): Promise<number> {
    return (await this.ok<{ total: number }>('GET', '/api/experiences/stats')).total;
  }

  async submit(body: Record<string, unknown> = { model_type: 'nlu' }): Promise<Job> {
    return (await this.ok<{ job: Job }>('POST', '/api/jobs', body)).job;
  }

  job(id: string): Promise<Job> {
    return this.ok('GET', `/api/jobs/${id}`);
  }

  async jobs(): Promise<Job[]> {
    return (await this.ok<{ jobs: Job[] }>('GET', '/api/jobs')).jobs;
  }

  async lease(id: string): Promise<Lease> {
    return leaseSchema.parse(await this.ok('GET', `/api/leases/${id}`));
  }

  /** Waits until a job is in `state`. */
  async reaches(id: string, state: Job['state']): Promise<Job> {
    return until(`job ${id} to be ${state}`, async () => {
      const job = await this.job(id);
      return job.state === state ? job : null;
    });
  }

  async leaseReaches(id: string, state: Lease['state']): Promise<Lease> {
    return until(`lease ${id} to be ${state}`, async () => {
      const lease = await this.lease(id);
      return lease.state === state ? lease : null;
    });
  }

  /** Reads a stream to its end. */
  async stream(path: string, lastEventId: string | null = null): Promise<ReceivedEvent[]> {
    const events: ReceivedEvent[] = [];
    const signal = AbortSignal.timeout(30_000);
    for await (const event of readSse({ url: this.url + path, lastEventId, token: this.token, signal }))
      events.push(event);
    assert.ok(!signal.aborted, `${path} did not end; it said ${JSON.stringify(events)}`);
    return events;
  }
}

/** `n` commands, each with an input of its own. */
export function commands(n: number, intent = 'lights_on', prefix = 'say'): Experience[] {
  return Array.from({ length: n }, (_, i) => ({
    type: 'command',
    input: { text: `${prefix} ${i}` },
    expected_output: { intent },
  }));
}
