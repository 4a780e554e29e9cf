// One service of ours as a program of its own, on a free port, without any other around it unless it is told of one.
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { ServiceName } from '@jarvis/contracts';
import { freePort, until } from '@jarvis/testkit';
import { end } from './children.ts';

const PORT_VARIABLES = {
  'jarvis-core': 'JARVIS_PORT',
  'j-prime': 'JARVIS_PRIME_PORT',
  'reactor-core': 'REACTOR_CORE_PORT',
} as const satisfies Record<ServiceName, string>;

export interface RunningService {
  readonly url: string;
  readonly child: ChildProcess;
  stop(): Promise<void>;
}

/** Resolves once it answers. */
export async function startService(
  name: ServiceName,
  environment: Readonly<Record<string, string>>,
): Promise<RunningService> {
  const port = environment[PORT_VARIABLES[name]] ?? String(await freePort());
  const main = fileURLToPath(new URL(`../../apps/${name}/src/main.ts`, import.meta.url));
  const child = spawn(process.execPath, [main], {
    env: { ...process.env, JARVIS_LOG_LEVEL: 'error', ...environment, [PORT_VARIABLES[name]]: port },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const url = `http://127.0.0.1:${port}`;
  await until(`${name} to answer`, () => {
    if (child.exitCode !== null) throw new Error(`${name} ended with ${child.exitCode}`);
    return fetch(`${url}/health`).then(
      (response) => response.ok,
      () => false,
    );
  });
  return { url, child, stop: () => end(child) };
}
