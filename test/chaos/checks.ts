// What has to hold whatever died, seen from outside: counts over HTTP, streams as any client reads them, processes as the
// kernel lists them.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type InvariantReport, type ServiceName, SERVICES } from '@jarvis/contracts';
import { until } from '@jarvis/testkit';
import { getJson, type System } from './system.ts';
import { BAD_FILE, waitingFiles } from './workload.ts';
import type { Account } from './world.ts';

const LOOK_EVERY_MS = 30;
const SETTLE_LIMIT_MS = 240_000;
const STREAM_LIMIT_MS = 20_000;
const JOBS_MAX = 500;
const TERMINAL = ['completed', 'failed', 'cancelled'];

interface JobSeen {
  readonly job_id: string;
  readonly state: string;
  readonly reason: string;
}

export interface Watch {
  /** The most trainers that were alive at once, and looks that were taken. */
  readonly most: () => number;
  readonly looks: () => number;
  stop(): Promise<void>;
}

/** Looks at the trainers that are alive, again and again. */
export function watchTrainers(system: System): Watch {
  let most = 0;
  let looks = 0;
  const ended = new AbortController();
  const watching = (async () => {
    while (!ended.signal.aborted) {
      most = Math.max(most, (await system.trainers()).length);
      looks += 1;
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
  })();
  return {
    most: () => most,
    looks: () => looks,
    stop: async () => {
      ended.abort();
      await watching;
    },
  };
}

export interface Findings {
  readonly broken: readonly string[];
  readonly jobs: Readonly<Record<string, number>>;
  readonly attempts: number;
  readonly events: number;
}

/** Waits until everything has come to its end, then checks it. */
export async function checkSettled(system: System, account: Account): Promise<Findings> {
  const broken: string[] = [];
  const jobs = await settledJobs(system);
  if (typeof jobs === 'string') return { broken: [jobs], jobs: {}, attempts: 0, events: 0 };
  const known = new Set(jobs.map((j) => j.job_id));
  for (const asked of account.jobs)
    if (!known.has(asked)) broken.push(`${asked} was acknowledged and is not there`);
  await until(
    'the drop folder to be taken',
    async () => (await waitingFiles(system.home)).length === 0,
    SETTLE_LIMIT_MS,
  );
  const stats = await getJson<{ total: number; by_source: Record<string, number> }>(
    `${system.urls['jarvis-core']}/api/experiences/stats`,
  );
  const stored = (stats?.total ?? -1) - (stats?.by_source['seed'] ?? 0);
  if (stored !== account.experiences)
    broken.push(`${account.experiences} experiences were taken on, ${stored} are stored`);
  for (const name of await readdir(join(system.home, 'events', 'rejected')).catch(() => []))
    if (!name.startsWith(BAD_FILE)) broken.push(`the good file ${name} was set aside`);
  broken.push(...account.broken);
  let events = 0;
  for (const job of jobs) {
    const found = await checkStream(`${system.urls['jarvis-core']}/api/jobs/${job.job_id}/stream`, endOfJob);
    events += found.events;
    broken.push(...found.broken.map((text) => `JARVIS Core, ${job.job_id} (${job.state}): ${text}`));
    const run = await checkStream(
      `${system.urls['reactor-core']}/api/training/stream/${job.job_id}`,
      endOfRun,
    );
    events += run.events;
    if (run.known && job.state !== 'cancelled')
      broken.push(...run.broken.map((text) => `Reactor Core, ${job.job_id} (${job.state}): ${text}`));
  }
  for (const run of account.ownRuns) {
    const url = `${system.urls['reactor-core']}/api/training/stream/${run}`;
    const found = await until(
      `the end of ${run}`,
      async () => {
        const seen = await checkStream(url, endOfRun);
        return seen.broken.length === 0 ? seen : null;
      },
      SETTLE_LIMIT_MS,
    ).catch(() => checkStream(url, endOfRun));
    events += found.events;
    broken.push(...found.broken.map((text) => `Reactor Core, ${run}: ${text}`));
  }
  for (const service of SERVICES) broken.push(...(await brokenInvariants(system, service)));
  const runs = await getJson<{ runs: unknown[] }>(`${system.urls['reactor-core']}/api/training/jobs`);
  const states: Record<string, number> = {};
  for (const { state } of jobs) states[state] = (states[state] ?? 0) + 1;
  return { broken, jobs: states, attempts: runs?.runs.length ?? 0, events };
}

async function brokenInvariants(system: System, service: ServiceName): Promise<string[]> {
  // Repeated: the last step of a plan may be the one that answers this.
  const report = await until(`the invariants of ${service}`, () =>
    getJson<InvariantReport>(`${system.urls[service]}/api/invariants`),
  );
  return report.broken.map((b) => `${service} says that ${b.invariant} is broken: ${b.message}`);
}

/** All jobs once each has ended; else a sentence about those that have not. */
async function settledJobs(system: System): Promise<readonly JobSeen[] | string> {
  let last: readonly JobSeen[] = [];
  try {
    await until(
      'every job to end',
      async () => {
        const answer = await getJson<{ jobs: JobSeen[] }>(
          `${system.urls['jarvis-core']}/api/jobs?limit=${JOBS_MAX}`,
        );
        last = answer?.jobs ?? last;
        return answer !== null && last.every((j) => TERMINAL.includes(j.state));
      },
      SETTLE_LIMIT_MS,
    );
    return last;
  } catch {
    const open = last.filter((j) => !TERMINAL.includes(j.state));
    return `after ${SETTLE_LIMIT_MS / 1000} s: ${open.map((j) => `${j.job_id} is ${j.state} (${j.reason})`).join('; ')}`;
  }
}

interface SseEvent {
  readonly id: number;
  readonly event: string;
  readonly data: Record<string, unknown>;
}

const endOfJob = (e: SseEvent): boolean => e.event === 'state' && TERMINAL.includes(String(e.data['state']));
const endOfRun = (e: SseEvent): boolean => TERMINAL.includes(e.event);

async function checkStream(
  url: string,
  isEnd: (event: SseEvent) => boolean,
): Promise<{ known: boolean; broken: string[]; events: number }> {
  const events = await readEvents(url);
  if (events === null) return { known: false, broken: ['it has no stream'], events: 0 };
  const broken: string[] = [];
  if (events.some((e, i) => e.id !== i + 1)) broken.push(`numbers ${events.map((e) => e.id).join(' ')}`);
  const ends = events.filter(isEnd).length;
  if (ends !== 1) broken.push(`${ends} terminal events`);
  const last = events.at(-1);
  if (last !== undefined && !isEnd(last)) broken.push(`it ends with ${last.event}`);
  return { known: true, broken, events: events.length };
}

/** Null when there is no such stream. One that does not end by itself is cut off, and so has no terminal event. */
async function readEvents(url: string): Promise<SseEvent[] | null> {
  let text = '';
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(STREAM_LIMIT_MS) });
    if (!response.ok || response.body === null) return null;
    const decoder = new TextDecoder();
    for await (const chunk of response.body) text += decoder.decode(chunk as Uint8Array, { stream: true });
  } catch {
    if (text === '') return null;
  }
  return text
    .split('\n\n')
    .map((block) => new Map(block.split('\n').map((line) => splitField(line))))
    .filter((fields) => fields.has('id'))
    .map((fields) => ({
      id: Number(fields.get('id')),
      event: fields.get('event') ?? '',
      data: JSON.parse(fields.get('data') ?? '{}') as Record<string, unknown>,
    }));
}

function splitField(line: string): [string, string] {
  const at = line.indexOf(': ');
  return at < 0 ? [line, ''] : [line.slice(0, at), line.slice(at + 2)];
}
