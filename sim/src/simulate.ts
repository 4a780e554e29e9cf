// One seed from its beginning to its end: a while with faults, then a while without, in which everything has to end.
import { Faults } from './outside/faults.ts';
import { LockUsers } from './outside/lock-users.ts';
import { Workload } from './outside/workload.ts';
import type { Violation } from './checks/invariants.ts';
import { unfinished } from './checks/liveness.ts';
import { scenarioOf } from './scenario.ts';
import { World } from './world.ts';

const HOUR_MS = 3_600_000;
/** With nothing in its way, everything that was asked for has ended by then. */
const QUIET_HOURS_MAX = 12;
const STEPS_MAX = 50_000_000;
const LOOK_FOR_END_MS = 30_000;

export interface Outcome {
  readonly seed: number;
  readonly violation: Violation | null;
  readonly hash: string;
  readonly transitions: number;
  readonly edges: ReadonlyMap<string, number>;
  readonly faults: ReadonlyMap<string, number>;
  readonly jobs: number;
  readonly lastLines: readonly string[];
}

export interface SimulateOptions {
  readonly seed: number;
  readonly hours: number;
  readonly print?: (line: string) => void;
}

export async function simulate({ seed, hours, print }: SimulateOptions): Promise<Outcome> {
  const world = new World(scenarioOf(seed, hours), print);
  const faults = new Faults(world);
  const workload = new Workload(world);
  new LockUsers(world).begin();
  world.begin();
  workload.begin();
  faults.begin();
  const end = { reached: false };
  world.loop.after(hours * HOUR_MS, () => {
    world.journal.say('the faults are over, and nobody asks for anything any more');
    world.quiet = true;
    world.prime.quiet = true;
    faults.end();
    const look = (): void => {
      end.reached = unfinished(world, workload.acknowledged) === null;
      if (!end.reached) world.loop.after(LOOK_FOR_END_MS, look);
    };
    look();
  });
  const endMs = (hours + QUIET_HOURS_MAX) * HOUR_MS;
  for (let step = 0; step < STEPS_MAX && !end.reached && world.invariants.violation === null; step += 1) {
    if (!world.loop.step() || world.loop.nowMs > endMs) break;
    if (world.loop.promisesSettled) await settled(world);
  }
  if (!end.reached)
    world.invariants.broken('liveness', unfinished(world, workload.acknowledged) ?? 'too many steps');
  return outcomeOf(world);
}

/** Lets all code run that waits on promises, before time goes on. */
async function settled(world: World): Promise<void> {
  world.loop.promisesSettled = false;
  // A tick comes when no promise is left to settle; nothing in here waits for the outside.
  await new Promise<void>((resolve) => process.nextTick(resolve));
}

function outcomeOf(world: World): Outcome {
  const { journal, invariants, scenario, core } = world;
  return {
    seed: scenario.seed,
    violation: invariants.violation,
    hash: journal.hash,
    transitions: journal.transitions,
    edges: journal.edges,
    faults: journal.faults,
    jobs: core.tables.jobs.size,
    lastLines: journal.lastLines,
  };
}
