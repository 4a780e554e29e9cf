// The least that a restart could be: a bare Fastify process that is killed, and started again as soon as it is gone.
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { exited, freePort } from '@jarvis/testkit';
import { untilLine } from '../shared/children.ts';
import { untilAnotherAnswers } from './answering.ts';

const PROGRAM = fileURLToPath(new URL('../shared/bare-fastify.ts', import.meta.url));

/** Milliseconds from the kill until the next process answers. */
export async function restartBare(): Promise<number> {
  const port = await freePort();
  const start = (): ChildProcess =>
    // In a session of its own, as the supervisor starts a service: Linux shares the processors among sessions.
    spawn(process.execPath, [PROGRAM, String(port)], {
      stdio: ['ignore', 'pipe', 'inherit'],
      detached: true,
    });
  let child = start();
  try {
    await untilLine(child, (line) => line === 'ready');
    const old = child.pid ?? 0;
    const from = performance.now();
    child.kill('SIGKILL');
    await exited(child);
    child = start();
    await untilAnotherAnswers(`http://127.0.0.1:${port}`, old);
    return performance.now() - from;
  } finally {
    child.kill('SIGKILL');
    await exited(child);
  }
}
