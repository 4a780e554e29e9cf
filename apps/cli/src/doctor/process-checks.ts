// Who works on the home: a supervisor that was killed, services that nobody restarts, processes that nobody knows.
import { runsSchema } from '@jarvis/contracts';
import { findHomeProcesses, isSameProcess } from '@jarvis/process';
import type { Config } from '@jarvis/runtime';
import { readSupervisorRecord, type ServiceAnswer } from '@jarvis/supervisor';
import { withService } from '../services.ts';
import { broken, type Check, fine, note } from './check.ts';

const COMMAND_CHARS_TOLD = 160;
const JOB_FILE = /\/([^/]+)\/attempt-\d+\/job\.json/;

export interface ProcessesSeen {
  readonly config: Config;
  readonly services: readonly ServiceAnswer[];
  readonly ownPid: number;
}

export async function checkProcesses(seen: ProcessesSeen): Promise<Check[]> {
  const { config, services } = seen;
  const record = await readSupervisorRecord(config.home);
  const isAlive = record !== null && (await isSameProcess(record.pid, record.started_ticks));
  const supervisor = isAlive ? record.pid : null;
  const running = services.some(({ answer }) => answer.kind === 'ours');
  const checks = [supervisorCheck(supervisor, record?.pid ?? null, running)];
  const known = new Set([...(await knownPids(seen)), ...(supervisor === null ? [] : [supervisor])]);
  const orphans = (await findHomeProcesses(config.home))?.filter(
    ({ pid, ancestors }) => ![pid, ...ancestors].some((p) => known.has(p)),
  );
  if (orphans === undefined)
    checks.push(note('processes', 'this system does not tell which processes work on a home', null));
  else if (orphans.length === 0)
    checks.push(fine('processes', 'none works on the home that nobody knows of'));
  else for (const orphan of orphans) checks.push(orphanCheck(orphan, config));
  return checks;
}

function supervisorCheck(alive: number | null, recorded: number | null, running: boolean): Check {
  if (alive !== null) return fine('supervisor', `runs, pid ${alive}`);
  const adopts = '`jarvis up` takes over what runs';
  if (recorded !== null)
    return note('supervisor', `the one with pid ${recorded} ended without stopping what it started`, adopts);
  if (running) return note('supervisor', 'none runs: a service that ends is not started again', adopts);
  return fine('supervisor', 'none runs');
}

/** Of the services that answer, and of the trainers that Reactor Core knows. This process is known too. */
async function knownPids({ config, services, ownPid }: ProcessesSeen): Promise<number[]> {
  const pids = [ownPid];
  for (const { service, answer } of services) {
    if (answer.kind !== 'ours') continue;
    pids.push(answer.health.pid);
    if (service !== 'reactor-core') continue;
    const live = await withService(config, service, (c) =>
      c.get('/api/training/jobs?live=true', runsSchema, { once: true }),
    ).catch(() => ({ runs: [] }));
    pids.push(...live.runs.flatMap((run) => run.pid ?? []));
  }
  return pids;
}

function orphanCheck({ pid, command }: { pid: number; command: string }, config: Config): Check {
  const jobId = JOB_FILE.exec(command)?.[1];
  if (jobId !== undefined)
    return note(
      'processes',
      `the trainer of ${jobId} (pid ${pid}) runs without a Reactor Core that knows it`,
      `\`jarvis up\` takes it up; without, it stops within ${config.env.TRAINER_ORPHAN_GRACE} s, after a checkpoint`,
    );
  return broken(
    'processes',
    `pid ${pid} works on the home and belongs to nothing that answers: ${command.slice(0, COMMAND_CHARS_TOLD)}`,
    `it may keep a service from starting: see what it is, then stop it (kill ${pid})`,
  );
}
