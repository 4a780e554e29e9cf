// How the system is hurt: a kill at each named step, hangs at some, replies that are lost, and kills at random moments.
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type FailpointEntry, markOf, STEPS } from '@jarvis/failpoints';
import type { SeededRandom } from '@jarvis/testkit';
import type { System } from './system.ts';

const VICTIMS = ['jarvis-core', 'j-prime', 'reactor-core', 'trainer', 'supervisor'] as const;
type Victim = (typeof VICTIMS)[number];
/** The supervisor is killed more seldom: every restart of it is a whole start. */
const WEIGHTS: Readonly<Record<Victim, number>> = {
  'jarvis-core': 5,
  'j-prime': 4,
  'reactor-core': 5,
  trainer: 5,
  supervisor: 1,
};
const BETWEEN_KILLS_MS_MIN = 150;
const BETWEEN_KILLS_MS_SPREAD = 700;

/**
 * Steps that a healthy machine among usual people does not take: what brings them about is in `provocations.ts`, and for
 * refused evidence in `strict-judge.ts`.
 */
const PROVOKED_STEPS: ReadonlySet<string> = new Set([
  'core.evidence.refuse',
  'core.lease.drain',
  'core.lease.expire',
  'core.lease.explain',
  'core.lease.reclaim',
  'core.lease.refuse',
  'core.holder.release',
  'core.lock.cancel',
  'core.lock.withdraw',
  'core.training.pause',
  'prime.evidence.broken',
  'prime.evidence.refuse',
  'prime.llm.measured',
  'prime.llm.owner',
  'prime.room.close',
  'prime.room.save',
  'reactor.alias.remove',
  'reactor.alias.set',
  'reactor.deployment.gate_failure',
  'reactor.run.status',
  'reactor.token.spend',
  'reactor.version.import',
]);

/** Whether it takes unusual people to get there. */
export function isProvoked(entry: FailpointEntry): boolean {
  return 'step' in entry && PROVOKED_STEPS.has(entry.step);
}

/** A kill before and after each step. */
export function everyFailpoint(): FailpointEntry[] {
  return atEveryStep('kill');
}

function atEveryStep(action: 'kill' | 'hang'): FailpointEntry[] {
  return STEPS.flatMap((step) =>
    (['before', 'after'] as const).map((moment): FailpointEntry => ({ action, step, moment })),
  );
}

/** At steps that this seed draws a process hangs: it lives, holds what it holds, and answers nobody. */
export function someHangs(random: SeededRandom, count: number): FailpointEntry[] {
  return draw(atEveryStep('hang'), random, count);
}

/** Calls of people and between the services whose work is done and whose answer never arrives. */
const LOSABLE_REPLIES = [
  'jarvis-core POST /api/experiences',
  'jarvis-core POST /api/jobs',
  'jarvis-core POST /api/jobs/:id/cancel',
  'jarvis-core POST /api/feedback',
  'jarvis-core POST /api/locks/:name/acquire',
  'jarvis-core POST /api/locks/:name/release',
  'jarvis-core POST /api/leases',
  'jarvis-core DELETE /api/leases/:id',
  'reactor-core POST /api/training/start',
  'reactor-core POST /api/evidence',
] as const;

/** Each of them is lost the first time and the second, as one process counts: few live to see a third. */
export function everyLostReply(): FailpointEntry[] {
  return LOSABLE_REPLIES.flatMap((request) =>
    [1, 2].map((passing): FailpointEntry => ({ action: 'lose_reply', request, passing })),
  );
}

/** `count` of them, no one twice. */
export function draw<T>(items: readonly T[], random: SeededRandom, count: number): T[] {
  return items
    .map((item) => ({ item, at: random.unit() }))
    .sort((a, b) => a.at - b.at)
    .slice(0, count)
    .map(({ item }) => item);
}

export interface Plan {
  readonly path: string;
  /** Those that have not fired, in words. */
  pending(): string[];
}

export async function writePlan(folder: string, entries: readonly FailpointEntry[]): Promise<Plan> {
  const path = join(folder, 'failpoints.json');
  await writeFile(path, JSON.stringify(entries));
  return {
    path,
    pending: () => entries.flatMap((entry, i) => (existsSync(markOf(path, i)) ? [] : [nameOf(entry)])),
  };
}

/** `kill before core.job.end`, `lost reply of jarvis-core POST /api/jobs`. */
function nameOf(entry: FailpointEntry): string {
  return entry.action === 'lose_reply'
    ? `lost reply of ${entry.request} (${entry.passing ?? 1})`
    : `${entry.action} ${entry.moment} ${entry.step}`;
}

/** `count` kills; answers how many each victim had. */
export async function killAtRandom(
  system: System,
  random: SeededRandom,
  count: number,
  onKill: (done: number) => void,
): Promise<Record<Victim, number>> {
  const kills: Record<Victim, number> = {
    'jarvis-core': 0,
    'j-prime': 0,
    'reactor-core': 0,
    trainer: 0,
    supervisor: 0,
  };
  let done = 0;
  while (done < count) {
    await pause(BETWEEN_KILLS_MS_MIN + random.unit() * BETWEEN_KILLS_MS_SPREAD);
    const victim = drawVictim(random);
    if (!(await kill(system, victim))) continue;
    kills[victim] += 1;
    done += 1;
    onKill(done);
  }
  return kills;
}

function drawVictim(random: SeededRandom): Victim {
  let at = random.unit() * VICTIMS.reduce((sum, v) => sum + WEIGHTS[v], 0);
  for (const victim of VICTIMS) {
    at -= WEIGHTS[victim];
    if (at < 0) return victim;
  }
  return 'jarvis-core';
}

/** False when there was nobody to kill. */
async function kill(system: System, victim: Victim): Promise<boolean> {
  if (victim === 'supervisor') {
    await system.killSupervisor();
    return true;
  }
  const pid = victim === 'trainer' ? (await system.trainers())[0]?.pid : await system.pidOf(victim);
  if (pid === undefined || pid === null) return false;
  try {
    process.kill(pid, 'SIGKILL');
    return true;
  } catch {
    return false;
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
