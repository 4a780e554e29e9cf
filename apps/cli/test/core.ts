// A real JARVIS Core, without the other two services, for tests of commands that need no more.
import { spawn } from 'node:child_process';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { exited, until } from '@jarvis/testkit';
import type { Fixture } from './fixture.ts';

const CORE = fileURLToPath(new URL('../../jarvis-core/src/main.ts', import.meta.url));

export interface Core {
  readonly url: string;
  kill(): Promise<void>;
}

/** JARVIS Core alone, at the port that the fixture's commands look for it. */
export async function startCore(t: TestContext, f: Fixture): Promise<Core> {
  const child = spawn(process.execPath, [CORE], {
    cwd: f.folder,
    stdio: 'ignore',
    env: {
      JARVIS_HOME: f.home,
      JARVIS_PORT: String(f.ports[0]),
      REACTOR_CORE_ENABLED: 'false',
      JARVIS_PRIME_ENABLED: 'false',
      TRAINING_BASELINE_ENABLED: 'false',
      TRAINING_AUTO_TRIGGER_ENABLED: 'false',
    },
  });
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await exited(child);
  };
  t.after(kill);
  const url = `http://127.0.0.1:${f.ports[0]}`;
  await until('JARVIS Core to answer', () =>
    fetch(`${url}/health`).then(
      (answer) => answer.ok,
      () => false,
    ),
  );
  return { url, kill };
}
