// A drop folder full of small files before JARVIS Core starts: how long until each is stored and the folder is empty, how
// quick calls are answered meanwhile, and how much memory it takes.
//   npm run bench:drop-folder [-- --files N] [-- --below FOLDER] [-- --save]
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, opendir, readFile, rm, writeFile } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { describeMachine, freePorts, until } from '@jarvis/testkit';

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));
const MAIN = join(REPOSITORY, 'apps/jarvis-core/src/main.ts');
const RESULT = join(REPOSITORY, 'bench/results/drop-folder.md');
const CALL_EVERY_MS = 50;
const CALLS_PER_COUNT = 20;
const LIMIT_MS = 3_600_000;
/** Nothing answers there: none is needed. */
const NOBODY = 'http://127.0.0.1:9';

interface Figures {
  readonly files: number;
  readonly seconds: number;
  readonly callsMs: readonly number[];
  readonly peakMb: number;
}

function dropAll(home: string, files: number): void {
  const folder = join(home, 'events');
  mkdirSync(folder, { recursive: true });
  for (let i = 0; i < files; i += 1) {
    const experience = {
      type: 'command',
      input: { text: `turn on lamp ${i}` },
      expected_output: { intent: 'lights_on' },
    };
    const text = JSON.stringify({ batch_id: `batch-${i}`, model_type: 'nlu', experiences: [experience] });
    writeFileSync(join(folder, `experiences_nlu_${i}.json`), text);
  }
}

function start(home: string, port: number): ChildProcess {
  const env = {
    PATH: process.env['PATH'],
    JARVIS_HOME: home,
    JARVIS_PORT: String(port),
    JARVIS_PRIME_API_URL: NOBODY,
    REACTOR_CORE_API_URL: NOBODY,
    JARVIS_LOG_LEVEL: 'warn',
    TRAINING_BASELINE_ENABLED: 'false',
    TRAINING_AUTO_TRIGGER_ENABLED: 'false',
  };
  return spawn(process.execPath, [MAIN], { cwd: home, env, stdio: ['ignore', 'ignore', 'inherit'] });
}

async function total(url: string): Promise<number> {
  const answer = await fetch(`${url}/api/experiences/stats`);
  return ((await answer.json()) as { total: number }).total;
}

async function isEmpty(folder: string): Promise<boolean> {
  for await (const { name } of await opendir(folder)) if (name.endsWith('.json')) return false;
  return true;
}

async function measure(home: string, files: number): Promise<Figures> {
  const [port = 0] = await freePorts(1);
  const url = `http://127.0.0.1:${port}`;
  const callsMs: number[] = [];
  const from = performance.now();
  const core = start(home, port);
  try {
    await until('it to answer', () => fetch(`${url}/health`).then(Boolean, () => false));
    for (let calls = 1; ; calls += 1) {
      const asked = performance.now();
      await (await fetch(`${url}/health`)).arrayBuffer();
      callsMs.push(performance.now() - asked);
      if (core.exitCode !== null || performance.now() - from > LIMIT_MS) throw new Error('it did not end');
      if (calls % CALLS_PER_COUNT === 0) {
        const stored = await total(url);
        if (stored > files) throw new Error(`${stored} experiences of ${files} files`);
        if (stored === files && (await isEmpty(join(home, 'events', '.claimed')))) break;
      }
      await new Promise((done) => setTimeout(done, CALL_EVERY_MS));
    }
    const seconds = (performance.now() - from) / 1000;
    if (!(await isEmpty(join(home, 'events')))) throw new Error('files are left');
    const status = await readFile(`/proc/${core.pid}/status`, 'utf8');
    const peakMb = Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1]) / 1024;
    return { files, seconds, callsMs, peakMb };
  } finally {
    const exited = core.exitCode === null ? once(core, 'exit') : null;
    core.kill('SIGTERM');
    await exited;
  }
}

function reportOf(figures: Figures, below: string): string {
  const { files, seconds, callsMs, peakMb } = figures;
  const sorted = callsMs.toSorted((a, b) => a - b);
  const quantile = (q: number): string => (sorted[Math.floor(q * (sorted.length - 1))] ?? 0).toFixed(0);
  return `# A drop folder full of files

Made by \`npm run bench:drop-folder -- --save\`. JARVIS Core starts beside ${files.toLocaleString('en')} files of one experience each, below
\`${below}\`; the time is from its start to the last file stored (SQLite, durable at each commit) and removed.

| files | s | files/s | GET /health, ms: median, 99 %, worst | most memory, MB |
| --- | --- | --- | --- | --- |
| ${files.toLocaleString('en')} | ${seconds.toFixed(0)} | ${(files / seconds).toFixed(0)} | ${quantile(0.5)}, ${quantile(0.99)}, ${quantile(1)} | ${peakMb.toFixed(0)} |

Machine: ${describeMachine()}; others were using it, load ${loadavg()[2]?.toFixed(0)}.
`;
}

const { values } = parseArgs({
  options: {
    files: { type: 'string', default: '1000000' },
    below: { type: 'string', default: tmpdir() },
    save: { type: 'boolean', default: false },
  },
});
const home = await mkdtemp(join(values.below, 'bench-drop-folder-'));
try {
  dropAll(home, Number(values.files));
  const report = reportOf(await measure(home, Number(values.files)), values.below);
  process.stdout.write(report);
  if (values.save) await writeFile(RESULT, report);
} finally {
  await rm(home, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
}
