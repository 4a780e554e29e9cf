// A J-Prime as a program of its own, without a supervisor: a second one with a home of its own beside a Reactor Core that
// is there, or that of a home in which nothing else runs.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { exited, until } from '@jarvis/testkit';
import { getJsonWithin } from '../get-json.ts';

const MAIN = fileURLToPath(new URL('../../apps/j-prime/src/main.ts', import.meta.url));
const CALL_LIMIT_MS = 5_000;
const START_LIMIT_MS = 60_000;

export interface PrimeAlone {
  readonly url: string;
  /** SIGKILL. */
  stop(): Promise<void>;
}

/** @param environment JARVIS_HOME, JARVIS_PRIME_PORT and where the others are */
export async function startPrime(
  cwd: string,
  environment: Readonly<Record<string, string>>,
): Promise<PrimeAlone> {
  const env = {
    PATH: process.env['PATH'],
    HOME: cwd,
    EVIDENCE_FLUSH_INTERVAL: '0.2',
    JARVIS_LOG_LEVEL: 'error',
    ...environment,
  };
  const child = spawn(process.execPath, [MAIN], { cwd, env, stdio: ['ignore', 'ignore', 'inherit'] });
  const url = `http://127.0.0.1:${environment['JARVIS_PRIME_PORT']}`;
  await until(
    'J-Prime to answer',
    async () => {
      assert.equal(child.exitCode, null, 'J-Prime has ended');
      const health = await getJsonWithin<{ pid: number }>(`${url}/health`, CALL_LIMIT_MS);
      return health?.pid === child.pid;
    },
    START_LIMIT_MS,
  );
  return {
    url,
    stop: async () => {
      child.kill('SIGKILL');
      await exited(child);
    },
  };
}
