// How long it takes until a killed process is replaced: each service under `jarvis up`, and the supervisor itself, beside a
// bare Fastify process in the same round.
//   npm run bench:recovery [-- --rounds N] [-- --save] [-- --json]
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type ServiceName, SERVICES } from '@jarvis/contracts';
import { OUTPUT_OPTIONS, tell } from '../shared/output.ts';
import { describeSurroundings } from '../shared/surroundings.ts';
import { pidOf, untilAnotherAnswers } from './answering.ts';
import { restartBare } from './bare.ts';
import { type Recovery, reportOf, VICTIMS } from './figures.ts';
import { makeSystem, type System } from './system.ts';

type Times = Pick<Recovery, 'answersMs' | 'saidMs'>;

async function killService(system: System, service: ServiceName): Promise<Times> {
  const url = system.urls[service];
  const old = await pidOf(url);
  if (old === null) throw new Error(`${service} does not answer`);
  const from = performance.now();
  process.kill(old, 'SIGKILL');
  const pid = await untilAnotherAnswers(url, old);
  const answersMs = performance.now() - from;
  const healthy = new RegExp(`${VICTIMS[service]} is healthy( again)? pid ${pid}$`);
  await system.says((line) => healthy.test(line));
  return { answersMs, saidMs: performance.now() - from };
}

/** The services go on; the next supervisor adopts them. */
async function killSupervisor(system: System): Promise<Times> {
  const before = await Promise.all(SERVICES.map((service) => pidOf(system.urls[service])));
  const from = performance.now();
  await system.killSupervisor();
  await system.up();
  const saidMs = performance.now() - from;
  const after = await Promise.all(SERVICES.map((service) => pidOf(system.urls[service])));
  if (before.join() !== after.join())
    throw new Error(`the services were replaced: ${before.join()} is now ${after.join()}`);
  return { answersMs: saidMs, saidMs };
}

async function runRound(system: System, round: number): Promise<Recovery[]> {
  const recoveries: Recovery[] = [];
  await system.up();
  for (const victim of [...SERVICES, 'supervisor'] as const) {
    // Who begins changes from round to round.
    const before = round % 2 === 0 ? await restartBare() : null;
    const times = victim === 'supervisor' ? await killSupervisor(system) : await killService(system, victim);
    const bareMs = before ?? (await restartBare());
    recoveries.push({ victim, round, ...times, bareMs });
    process.stderr.write(
      `round ${round} ${victim}: answers ${times.answersMs.toFixed(0)} ms, healthy ${times.saidMs.toFixed(0)} ms, bare ${bareMs.toFixed(0)} ms\n`,
    );
  }
  return recoveries;
}

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '10' }, ...OUTPUT_OPTIONS } });
const machine = describeSurroundings();
const folder = await mkdtemp(join(tmpdir(), 'bench-recovery-'));
const system = await makeSystem(join(folder, 'home'));
try {
  const recoveries: Recovery[] = [];
  // The first start compiles everything, and what is killed keeps nothing of that for the next.
  await system.up();
  await system.down();
  for (let round = 0; round < Number(values.rounds); round++) {
    try {
      recoveries.push(...(await runRound(system, round)));
    } finally {
      // A start of its own for each round: a service that falls again soon is restarted later.
      await system.down();
    }
  }
  await tell({ name: 'recovery', report: reportOf(recoveries, machine), figures: recoveries }, values);
} finally {
  await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
}
