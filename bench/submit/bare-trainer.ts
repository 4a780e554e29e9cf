// The trainer without a system around it: the same command with the same job file, in a folder of its own.
import { spawn } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type TrainerJob, trainerJobSchema } from '@jarvis/contracts';
import { exited } from '@jarvis/testkit';
import { untilFirstLine } from './first-line.ts';

const TRAINER = fileURLToPath(new URL('../../trainers/builtin/nlu/main.ts', import.meta.url));
/** What Reactor Core passes on to a trainer. */
const PASSED_ON = ['PATH', 'HOME', 'LANG', 'TMPDIR'] as const;

/** Resolves with the milliseconds from the spawn to the first line; the trainer is ended then. */
export async function spawnBare(jobFile: string, folder: string): Promise<number> {
  const job = trainerJobSchema.parse(JSON.parse(await readFile(jobFile, 'utf8')));
  await mkdir(folder);
  const own: TrainerJob = {
    ...job,
    checkpoint: { ...job.checkpoint, dir: join(folder, 'checkpoints') },
    events_path: join(folder, 'events.ndjson'),
    owner_path: join(folder, 'owner.json'),
    artifact_dir: join(folder, 'artifact'),
    heartbeat_path: join(folder, 'heartbeat'),
  };
  const ownFile = join(folder, 'job.json');
  await writeFile(own.heartbeat_path, '');
  await writeFile(ownFile, JSON.stringify(own));
  const env = Object.fromEntries(PASSED_ON.map((name) => [name, process.env[name]]));
  // In a session of its own, as Reactor Core starts it: Linux shares the processors among sessions.
  const detached = true;
  const from = performance.now();
  const child = spawn(process.execPath, [TRAINER, ownFile], { env, cwd: folder, stdio: 'ignore', detached });
  try {
    return (await untilFirstLine(own.events_path)) - from;
  } finally {
    child.kill('SIGKILL');
    await exited(child);
  }
}
