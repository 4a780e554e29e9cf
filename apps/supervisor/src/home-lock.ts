// One supervisor for a home. The lock is SQLite's lock on a file: the system releases it whenever its holder ends, even
// by SIGKILL, so a stale one can't be, and no pid that was handed out again can fake one.
// Beside it `supervisor.json` says who holds it, for `jarvis down` and for people.
import type { ServiceName } from '@jarvis/contracts';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { SupervisorError } from './errors.ts';

export interface SupervisorRecord {
  readonly pid: number;
  /** With the pid, the identity of the process. */
  readonly started_ticks: number;
  readonly started_at: string;
  readonly home_id: string;
  readonly urls: Readonly<Partial<Record<ServiceName, string>>>;
}

export interface HomeLock {
  release(): Promise<void>;
}

function recordPath(home: string): string {
  return join(home, 'supervisor.json');
}

/** Takes the lock and writes the record. Throws SupervisorError('already_running') when a live supervisor holds it. */
export async function lockHome(home: string, record: SupervisorRecord): Promise<HomeLock> {
  const lock = new DatabaseSync(join(home, 'supervisor.lock'), { timeout: 0 });
  try {
    lock.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    lock.close();
    if (!/database is locked/.test((error as Error).message)) throw error;
    const holder = await readSupervisorRecord(home);
    throw new SupervisorError(
      'already_running',
      `a supervisor runs on ${home} already${holder === null ? '' : ` (pid ${holder.pid}, since ${holder.started_at})`}: see it with \`jarvis status\`, stop it with \`jarvis down\`, or set another JARVIS_HOME`,
      { cause: error },
    );
  }
  try {
    const path = recordPath(home);
    await writeFile(`${path}.new`, `${JSON.stringify(record, null, 2)}\n`, { mode: 0o600 });
    await rename(`${path}.new`, path);
  } catch (error) {
    lock.close();
    throw error;
  }
  return {
    release: async () => {
      if (!lock.isOpen) return;
      await rm(recordPath(home), { force: true });
      lock.close();
    },
  };
}

/** Who holds, or last held, the lock; null when there is no readable record. Advisory: the process may be gone. */
export async function readSupervisorRecord(home: string): Promise<SupervisorRecord | null> {
  try {
    const record = JSON.parse(await readFile(recordPath(home), 'utf8')) as SupervisorRecord;
    const usable = Number.isInteger(record.pid) && record.pid > 0 && typeof record.started_ticks === 'number';
    return usable ? record : null;
  } catch {
    return null;
  }
}
