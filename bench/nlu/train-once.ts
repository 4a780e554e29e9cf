// One run of the built-in nlu trainer, as Reactor Core would start it: a job file, a child process, an artifact.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DatasetRow, TrainerJob } from '@jarvis/contracts';
import type { LabelledText } from './labelled-texts.ts';

const TRAINER = fileURLToPath(new URL('../../trainers/builtin/nlu/main.ts', import.meta.url));
const HOUR_SECONDS = 3600;

/** Test rows stay out: the trainer never sees them. */
function datasetLines(rows: readonly LabelledText[]): string[] {
  const seen = rows.filter(({ split }) => split !== 'test');
  return seen.map(({ text, label, split }, i) => {
    const row: DatasetRow = {
      id: String(i),
      split: split === 'train' ? 'train' : 'validation',
      input: { text },
      expected_output: { intent: label },
    };
    return `${JSON.stringify(row)}\n`;
  });
}

async function writeJob(
  work: string,
  rows: readonly LabelledText[],
  options: { epochs: number; seed: number },
) {
  const lines = datasetLines(rows);
  const dataset = lines.join('');
  const path = join(work, 'dataset.ndjson');
  await writeFile(path, dataset);
  const job: TrainerJob = {
    protocol: 1,
    job_id: 'bench-nlu',
    attempt: 1,
    model_type: 'nlu',
    token: 1,
    ...options,
    config: {},
    dataset: { path, sha256: createHash('sha256').update(dataset).digest('hex'), rows: lines.length },
    parent_version: null,
    checkpoint: { enabled: true, interval_epochs: 4, dir: join(work, 'checkpoints'), keep_last: 1 },
    events_path: join(work, 'events.ndjson'),
    owner_path: join(work, 'owner.json'),
    artifact_dir: join(work, 'artifact'),
    heartbeat_path: join(work, 'heartbeat'),
    orphan_grace_seconds: HOUR_SECONDS,
  };
  const jobPath = join(work, 'job.json');
  await writeFile(jobPath, JSON.stringify(job));
  return { jobPath, job };
}

/** Trains in the folder `work`. @returns wall-clock seconds from spawn to exit, checkpoints included */
export async function trainOnce(
  work: string,
  rows: readonly LabelledText[],
  options: { epochs: number; seed: number },
): Promise<{ seconds: number; artifactDir: string }> {
  const { jobPath, job } = await writeJob(work, rows, options);
  const start = performance.now();
  const child = spawn(process.execPath, [TRAINER, jobPath], { stdio: ['ignore', 'ignore', 'inherit'] });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`the trainer ended with exit code ${String(code)}`);
  const seconds = Number(((performance.now() - start) / 1000).toFixed(2));
  return { seconds, artifactDir: job.artifact_dir };
}
