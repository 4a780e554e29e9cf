// One process a home: an exclusive SQLite lock that the operating system takes back when its holder dies, however.
import { DatabaseSync } from 'node:sqlite';
import { CodedError } from '@jarvis/contracts';

export interface HomeLock {
  release(): void;
}

/** Takes `path` exclusively for as long as this process lives. Throws `service_unavailable` when another one has it. */
export function takeHomeLock(path: string, service: string): HomeLock {
  const connection = new DatabaseSync(path, { timeout: 0 });
  try {
    connection.exec('PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE');
  } catch (error) {
    connection.close();
    throw new CodedError(
      'service_unavailable',
      `another ${service} uses this home (${path}): stop it first, or set JARVIS_HOME elsewhere`,
      {},
      { cause: error },
    );
  }
  return {
    release: () => {
      if (connection.isOpen) connection.close();
    },
  };
}
