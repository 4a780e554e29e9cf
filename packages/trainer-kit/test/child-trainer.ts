// Runs a trainer's main file as Reactor Core would, and reads what it leaves.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { watch } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type DatasetRow, type TrainerEvent, trainerEventSchema, type TrainerJob } from '@jarvis/contracts';
import { sha256Hex } from '@jarvis/model-kinds';

export interface JobOptions {
  readonly rows: readonly DatasetRow[];
  readonly epochs: number;
  readonly attempt?: number;
  readonly token?: number;
  readonly interval?: number;
  readonly change?: (job: TrainerJob) => void;
}

/** Writes data set and job file into `dir`; each attempt has events and owner of its own, checkpoints are shared. */
export async function writeJob(dir: string, options: JobOptions): Promise<TrainerJob> {
  const { rows, epochs, attempt = 1, interval = 1 } = options;
  const dataset = rows.map((row) => `${JSON.stringify(row)}\n`).join('');
  const datasetPath = join(dir, 'dataset.ndjson');
  await writeFile(datasetPath, dataset);
  const job: TrainerJob = {
    protocol: 1,
    job_id: 'job-1',
    attempt,
    model_type: 'nlu',
    token: options.token ?? attempt,
    seed: 11,
    epochs,
    config: {},
    dataset: { path: datasetPath, sha256: sha256Hex(dataset), rows: rows.length },
    parent_version: null,
    checkpoint: { enabled: true, interval_epochs: interval, dir: join(dir, 'checkpoints'), keep_last: 2 },
    events_path: join(dir, `events-${attempt}.ndjson`),
    owner_path: join(dir, `owner-${attempt}.json`),
    artifact_dir: join(dir, 'artifact'),
    heartbeat_path: join(dir, 'heartbeat'),
    orphan_grace_seconds: 3600,
  };
  options.change?.(job);
  await writeFile(join(dir, `job-${attempt}.json`), JSON.stringify(job));
  return job;
}

/** The complete lines so far. @throws when one is no event */
export async function readEvents(job: TrainerJob): Promise<TrainerEvent[]> {
  const text = await readFile(job.events_path, 'utf8').catch(() => '');
  const lines = text.slice(0, text.lastIndexOf('\n') + 1).split('\n');
  return lines.filter((line) => line !== '').map((line) => trainerEventSchema.parse(JSON.parse(line)));
}

export interface ChildTrainer {
  kill(signal: NodeJS.Signals): void;
  /** Resolves when the events file holds one that fits; rejects when the trainer ends without. */
  sees(fits: (event: TrainerEvent) => boolean): Promise<void>;
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null; stderr: string }>;
}

export function startTrainer(main: string, dir: string, job: TrainerJob): ChildTrainer {
  const jobPath = join(dir, `job-${job.attempt}.json`);
  const child = spawn(process.execPath, [main, jobPath], { stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const closed = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
  const ended = closed.then(([code, signal]) => ({ code, signal, stderr }));
  return {
    kill: (signal) => child.kill(signal),
    ended,
    async sees(fits) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const look = async () => {
        if ((await readEvents(job)).some(fits)) resolve();
      };
      const watcher = watch(dir, () => void look().catch(reject));
      void ended.then(look).then(() => reject(new Error(`the trainer ended before: ${stderr}`)), reject);
      await look();
      try {
        await promise;
      } finally {
        watcher.close();
      }
    },
  };
}

/** Runs one attempt to its end. */
export async function runToEnd(main: string, dir: string, job: TrainerJob) {
  const end = await startTrainer(main, dir, job).ended;
  return { ...end, events: await readEvents(job) };
}
