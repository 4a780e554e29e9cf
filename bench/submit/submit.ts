// From `POST /api/jobs` at a running system to the first line in the trainer's events.ndjson, beside a bare spawn of the
// same trainer command with the same job file, to its first line, in the same round.
//   npm run bench:submit [-- --rounds N] [-- --save] [-- --json]
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { freePorts } from '@jarvis/testkit';
import { OUTPUT_OPTIONS, tell } from '../shared/output.ts';
import { type RunningService, startService } from '../shared/service.ts';
import { describeSurroundings } from '../shared/surroundings.ts';
import { spawnBare } from './bare-trainer.ts';
import { reportOf, type Round, summaryOf } from './figures.ts';
import { Submissions } from './submissions.ts';

/** JARVIS Core and Reactor Core; nothing trains by itself, and the machine's memory decides nothing. */
async function startSystem(home: string): Promise<readonly [RunningService, RunningService]> {
  const [core, reactor] = (await freePorts(2)).map(String);
  const environment = {
    JARVIS_HOME: home,
    JARVIS_PORT: core ?? '',
    REACTOR_CORE_PORT: reactor ?? '',
    DATABASE_URL: '',
    JARVIS_PRIME_ENABLED: 'false',
    TRAINING_BASELINE_ENABLED: 'false',
    TRAINING_AUTO_TRIGGER_ENABLED: 'false',
    MAX_TOTAL_MEMORY_GB: '100000',
  };
  const first = await startService('jarvis-core', environment);
  try {
    return [first, await startService('reactor-core', environment)];
  } catch (error) {
    await first.stop();
    throw error;
  }
}

async function measure(folder: string, rounds: number): Promise<Round[]> {
  const home = join(folder, 'home');
  const [core, reactor] = await startSystem(home);
  try {
    const submissions = await Submissions.open(core.url, home);
    // Compiles what is loaded late, and makes the first job file; not counted.
    let { jobFile } = await submissions.run();
    const measured: Round[] = [];
    for (let i = 0; i < rounds; i++) {
      // Who begins changes from round to round.
      const before = i % 2 === 0 ? await spawnBare(jobFile, join(folder, `bare-${i}`)) : null;
      const run = await submissions.run();
      jobFile = run.jobFile;
      const bareMs = before ?? (await spawnBare(jobFile, join(folder, `bare-${i}`)));
      measured.push({ bareMs, oursMs: run.firstLineMs, marks: run.marks });
      process.stderr.write(
        `round ${i}: bare ${bareMs.toFixed(0)} ms, ours ${run.firstLineMs.toFixed(0)} ms\n`,
      );
    }
    return measured;
  } finally {
    await reactor.stop();
    await core.stop();
  }
}

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '10' }, ...OUTPUT_OPTIONS } });
const machine = describeSurroundings();
const folder = await mkdtemp(join(tmpdir(), 'bench-submit-'));
try {
  const summary = summaryOf(await measure(folder, Number(values.rounds)));
  await tell({ name: 'submit', report: reportOf(summary, machine), figures: summary }, values);
} finally {
  await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
}
