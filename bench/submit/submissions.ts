// Jobs that are asked for over HTTP, each with something new to learn, so that its data set is frozen anew. What happened
// when is read from the times of the files that each step leaves.
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  isTerminal,
  JOB_LIFECYCLE,
  type Job,
  jobSchema,
  jobSubmittedSchema,
  MAX_EXPERIENCES_PER_BATCH,
  trainerOwnerSchema,
} from '@jarvis/contracts';
import { until } from '@jarvis/testkit';
import type { Mark } from './figures.ts';
import { untilFirstLine } from './first-line.ts';

const PHRASES = fileURLToPath(new URL('../../data/assistant-commands/commands.jsonl', import.meta.url));
const EPOCHS = 2;

interface Phrase {
  readonly text: string;
  readonly label: string;
}

interface Submitted {
  readonly firstLineMs: number;
  readonly marks: Readonly<Record<Mark, number>>;
  /** The job file that its trainer was given. */
  readonly jobFile: string;
}

/** The kernel counts a process's start in hundredths of a second since the machine's. */
const TICK_MS = 10;

/** When the trainer that claimed a run was started, in wall time, to a hundredth of a second. Linux only. */
async function startedAtMs(ownerFile: string): Promise<number> {
  const { started_ticks: ticks } = trainerOwnerSchema.parse(JSON.parse(await readFile(ownerFile, 'utf8')));
  const uptimeMs = Number((await readFile('/proc/uptime', 'latin1')).split(' ')[0]) * 1000;
  return Date.now() - uptimeMs + Number(ticks) * TICK_MS;
}

export class Submissions {
  readonly #url: string;
  readonly #home: string;
  #count = 0;

  private constructor(url: string, home: string) {
    this.#url = url;
    this.#home = home;
  }

  /** Stores what there is to learn from: the shipped phrases. */
  static async open(url: string, home: string): Promise<Submissions> {
    const submissions = new Submissions(url, home);
    const lines = (await readFile(PHRASES, 'utf8')).split('\n').filter((line) => line !== '');
    const phrases = lines.map((line) => JSON.parse(line) as Phrase);
    for (let from = 0; from < phrases.length; from += MAX_EXPERIENCES_PER_BATCH)
      await submissions.#learn(phrases.slice(from, from + MAX_EXPERIENCES_PER_BATCH));
    return submissions;
  }

  /** Asks for a job and waits for its end, so that the next one finds the slot free. */
  async run(): Promise<Submitted> {
    await this.#learn([{ text: `light number ${(this.#count += 1)} on`, label: 'lights_on' }]);
    const wallMs = Date.now();
    const from = performance.now();
    const answer = await this.#call('/api/jobs', {
      model_type: 'nlu',
      epochs: EPOCHS,
      auto_deploy: false,
    });
    const answeredMs = performance.now() - from;
    const { job } = jobSubmittedSchema.parse(answer);
    const attempt = join(this.#home, 'reactor-core/runs', job.job_id, 'attempt-1');
    const firstLineMs = (await untilFirstLine(join(attempt, 'events.ndjson'))) - from;
    const ended = await until(`${job.job_id} to end`, () => this.#endOf(job.job_id));
    if (ended.state !== 'completed') throw new Error(`${job.job_id} is ${ended.state}: ${ended.reason}`);
    const sinceMs = async (path: string): Promise<number> => (await stat(path)).mtimeMs - wallMs;
    const frozen = join(this.#home, 'jarvis-core/datasets', `${ended.dataset_sha256}.ndjson`);
    return {
      firstLineMs,
      jobFile: join(attempt, 'job.json'),
      marks: {
        answered: answeredMs,
        frozen: await sinceMs(frozen),
        fetched: await sinceMs(join(attempt, '../dataset.ndjson')),
        accepted: await sinceMs(join(attempt, 'job.json')),
        spawned: (await startedAtMs(join(attempt, 'owner.json'))) - wallMs,
        claimed: await sinceMs(join(attempt, 'owner.json')),
        started: firstLineMs,
      },
    };
  }

  async #endOf(jobId: string): Promise<Job | null> {
    const response = await fetch(`${this.#url}/api/jobs/${jobId}`);
    const job = jobSchema.parse(await response.json());
    return isTerminal(JOB_LIFECYCLE, job.state) ? job : null;
  }

  async #learn(phrases: readonly Phrase[]): Promise<void> {
    const experiences = phrases.map(({ text, label }) => ({
      type: 'command',
      input: { text },
      expected_output: { intent: label },
    }));
    await this.#call('/api/experiences', { experiences });
  }

  async #call(path: string, body: unknown): Promise<unknown> {
    const response = await fetch(`${this.#url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return response.json();
  }
}
