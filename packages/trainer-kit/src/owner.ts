// `owner.json`: who runs this attempt. Linking a finished file to its name makes it whole and exclusive in one step.
import { link, mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { TrainerJob, TrainerOwner } from '@jarvis/contracts';
import { durably } from '@jarvis/failpoints';
import { systemCode } from './failure.ts';
import type { TrainerHost } from './host.ts';

/** @returns false when another trainer's owner file is there */
export async function claimRun(
  job: Pick<TrainerJob, 'owner_path' | 'token'>,
  host: TrainerHost,
): Promise<boolean> {
  const owner: TrainerOwner = { pid: host.pid, started_ticks: host.startedTicks(), token: job.token };
  const draft = `${job.owner_path}.${host.pid}`;
  await mkdir(dirname(job.owner_path), { recursive: true });
  await writeFile(draft, `${JSON.stringify(owner)}\n`, { flush: true });
  try {
    await durably('trainer.owner.link', () => link(draft, job.owner_path));
    return true;
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(draft, { force: true });
  }
}
