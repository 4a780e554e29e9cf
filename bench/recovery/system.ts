// `jarvis up` on a home and ports of its own, and what it says, line by line.
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type ServiceName, SERVICES } from '@jarvis/contracts';
import { exited, freePorts, until } from '@jarvis/testkit';

const CLI = fileURLToPath(new URL('../../apps/cli/bin/jarvis.js', import.meta.url));
const LINES_KEPT = 1_000;
const SAY_LIMIT_MS = 90_000;

export interface System {
  readonly urls: Readonly<Record<ServiceName, string>>;
  /** Starts `jarvis up`; resolves when it says that all are operational. */
  up(): Promise<void>;
  /** Resolves when `jarvis up` has said a line that `said` recognises, since it was started. */
  says(said: (line: string) => boolean): Promise<void>;
  /** SIGKILL to the supervisor alone. */
  killSupervisor(): Promise<void>;
  /** `jarvis down`, whoever runs. */
  down(): Promise<void>;
}

/** Nothing trains by itself, so that only the restart takes time. */
const QUIET = {
  DATABASE_URL: '',
  TRAINING_BASELINE_ENABLED: 'false',
  TRAINING_AUTO_TRIGGER_ENABLED: 'false',
};

export async function makeSystem(home: string): Promise<System> {
  const ports = await freePorts(SERVICES.length);
  const [core, prime, reactor] = ports.map(String);
  const environment = {
    ...process.env,
    ...QUIET,
    JARVIS_HOME: home,
    JARVIS_PORT: core,
    JARVIS_PRIME_PORT: prime,
    REACTOR_CORE_PORT: reactor,
  };
  let supervisor: ChildProcess | null = null;
  let lines: string[] = [];
  const says: System['says'] = async (said) => {
    await until(
      () => `jarvis up to say so; its last lines:\n${lines.slice(-10).join('\n')}`,
      () => {
        if (lines.some(said)) return true;
        if (supervisor?.exitCode !== null) throw new Error(`jarvis up has ended:\n${lines.join('\n')}`);
        return false;
      },
      SAY_LIMIT_MS,
    );
  };
  return {
    urls: {
      'jarvis-core': `http://127.0.0.1:${core}`,
      'j-prime': `http://127.0.0.1:${prime}`,
      'reactor-core': `http://127.0.0.1:${reactor}`,
    },
    says,
    async up() {
      const child = spawn(process.execPath, [CLI, 'up'], {
        env: environment,
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      supervisor = child;
      lines = [];
      createInterface({ input: child.stdout }).on('line', (line) => {
        lines = [...lines.slice(-LINES_KEPT), line];
      });
      await says((line) => line.includes('3/3 operational'));
    },
    async killSupervisor() {
      if (supervisor === null) return;
      supervisor.kill('SIGKILL');
      await exited(supervisor);
    },
    async down() {
      const child = spawn(process.execPath, [CLI, 'down'], { env: environment, stdio: 'ignore' });
      await exited(child);
      if (supervisor !== null) await exited(supervisor);
    },
  };
}
