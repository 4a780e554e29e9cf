// The simulated world put together: one machine, three services, trainers, a network, and somebody who watches it all.
import { CodedError, LLM_HOLDER } from '@jarvis/contracts';
import { holdOf, type MachineUse, type Pause, type TrainingHold } from '@jarvis/policy';
import { Invariants } from './checks/invariants.ts';
import { MemoryTruth } from './checks/memory-truth.ts';
import { Core } from './core/core.ts';
import { HoldingCalls } from './core/holding-calls.ts';
import { Chance } from './kernel/chance.ts';
import { EventLoop } from './kernel/event-loop.ts';
import { Journal } from './kernel/journal.ts';
import { Network } from './kernel/network.ts';
import { SimProcess } from './kernel/process.ts';
import { Machine } from './outside/machine.ts';
import { LLM_OWNER } from './outside/llm.ts';
import { Prime } from './outside/prime.ts';
import { TrueNeeds } from './outside/true-needs.ts';
import { Reactor } from './reactor/reactor.ts';
import type { RunRow } from './reactor/tables.ts';
import { Trainer } from './reactor/trainer.ts';
import type { Scenario } from './scenario.ts';

const START_OF_TIME_MS = 1_700_000_000_000;
const EPOCH_MS_MIN = 800;
const EPOCH_MS_MAX = 5_000;
const RESTART_MS = 5_000;
/** Now and then nobody is there to restart it for long. */
const LONG_DOWN_SHARE = 0.25;
const TRAINER_NOT_STARTED_SHARE = 0.02;
const LONG_DOWN_MS = 240_000;
/** The machine's memory is a little more than the budget. */
const PHYSICAL_SHARE = 1.02;

export class World {
  readonly scenario: Scenario;
  readonly loop = new EventLoop();
  readonly journal: Journal;
  readonly network: Network;
  readonly machine: Machine;
  readonly prime: Prime;
  readonly core: Core;
  readonly calls: HoldingCalls;
  readonly reactor: Reactor;
  readonly invariants: Invariants;
  readonly trainers = new Map<number, Trainer>();
  /** People, triggers and strangers. */
  readonly client: SimProcess;
  readonly memory: MemoryTruth;
  /** Faults are over: everything that is asked for works. */
  quiet = false;
  wallJumps = 0;
  /** What a person said, and whether somebody is at the machine. */
  pause: Pause | null = null;
  use: MachineUse | null = null;
  #wallOffsetMs = START_OF_TIME_MS;
  #pid = 1_000;
  readonly #chance: Chance;
  readonly #trueNeeds: TrueNeeds;

  constructor(scenario: Scenario, print?: (line: string) => void) {
    const { loop } = this;
    this.scenario = scenario;
    this.#chance = new Chance(scenario.seed);
    const chance = this.#chance;
    this.journal = new Journal({ nowMs: () => loop.nowMs, print });
    const { journal } = this;
    this.network = new Network({ loop, chance, journal });
    this.machine = new Machine({
      physicalBytes: scenario.budgetBytes * PHYSICAL_SHARE,
      budgetBytes: scenario.budgetBytes,
      onShort: () => this.#memoryIsShort(),
      onOutOfMemory: (owner) => this.#killForMemory(owner),
      onChange: () => {
        this.memory.changed();
        this.#oursFits();
      },
    });
    const { machine, network, trainers } = this;
    const wall = (): number => this.wall();
    this.memory = new MemoryTruth({ scenario, loop, machine, holderBytes: () => this.#holderBytes() });
    this.#trueNeeds = new TrueNeeds({ chance, journal });
    this.invariants = new Invariants({
      scenario,
      loop,
      journal,
      core: () => this.core,
      wall,
      trainers,
      memory: this.memory,
      hold: () => this.hold(),
    });
    this.prime = new Prime({
      scenario,
      loop,
      chance,
      journal,
      machine,
      network,
      core: () => this.calls,
      onCrash: (when) => this.crashPrime(when),
    });
    const shared = { scenario, loop, network, chance, journal, machine, wall };
    this.core = new Core({
      ...shared,
      prime: this.prime,
      hold: () => this.hold(),
      reactor: () => this.reactor,
      onCommit: (moves) => this.invariants.onCoreCommit(moves),
      onTrouble: (error) => this.invariants.broken('coordinator', String(error)),
      onCrash: () => this.crashCore('in the middle of its work'),
    });
    const newId = (prefix: string): string => chance.id(prefix);
    const ttls = { lockTtlMs: scenario.lockTtlMs, leaseTtlMs: scenario.leaseTtlMs };
    this.calls = new HoldingCalls({ core: this.core, newId, wall, ...ttls });
    this.reactor = new Reactor({
      ...shared,
      core: () => this.calls,
      spawn: (run) => this.#spawn(run),
      trainers,
      onCommit: (moves) => this.invariants.onReactorCommit(moves),
      onCrash: () => this.crashReactor('in the middle of its work'),
      onRunEnded: (run) => this.#runEnded(run),
    });
    this.client = new SimProcess('clients', loop);
  }

  wall(): number {
    return this.loop.nowMs + this.#wallOffsetMs;
  }

  jumpWall(ms: number): void {
    this.#wallOffsetMs += ms;
    this.wallJumps += 1;
    this.invariants.disturbedAtMs = this.loop.nowMs;
  }

  /** Why nobody trains now, by the real rules. */
  hold(): TrainingHold | null {
    const { pause, use } = this;
    const facts = { nowMs: this.wall(), pause, window: null, minuteOfDay: 0, use };
    return holdOf(facts, { loadMax: null, trainsOnBattery: false });
  }

  begin(): void {
    this.network.mishap = this.scenario.mishap;
    this.client.start();
    this.prime.boot();
    this.core.boot();
    this.reactor.boot();
  }

  crashCore(how: string): void {
    if (!this.core.process.up) return;
    this.journal.fault('JARVIS Core killed', how);
    this.core.kill();
    this.#restart(() => !this.core.process.up && this.core.boot());
  }

  crashReactor(how: string): void {
    if (!this.reactor.process.up) return;
    this.journal.fault('Reactor Core killed', how);
    this.reactor.kill();
    this.#restart(() => !this.reactor.process.up && this.reactor.boot());
  }

  crashPrime(when: string): void {
    if (!this.prime.process.up) return;
    this.journal.fault(`J-Prime killed ${when}`, '');
    this.prime.kill();
    this.#restart(() => !this.prime.process.up && this.prime.boot());
  }

  liveTrainers(): Trainer[] {
    return [...this.trainers.values()].filter((t) => t.alive);
  }

  #restart(boot: () => unknown): void {
    const long = !this.quiet && this.#chance.happens(LONG_DOWN_SHARE);
    this.loop.after(this.#chance.waitMs(long ? LONG_DOWN_MS : RESTART_MS), boot);
  }

  /** The program of a run begins; null when it cannot be started. */
  #spawn(run: RunRow): Trainer | null {
    const chance = this.#chance;
    const { scenario, loop, journal, machine, reactor } = this;
    this.invariants.onSpawn(run);
    const job = reactor.ground.tables.jobs.get(run.jobId);
    if (job === undefined) throw new Error('a run has a job');
    const given = this.core.tables.jobs.get(run.jobId)?.needGiven ?? true;
    if (!this.quiet && chance.happens(TRAINER_NOT_STARTED_SHARE)) {
      journal.fault('trainer not started', run.jobId);
      return null;
    }
    const trainer: Trainer = new Trainer({
      pid: (this.#pid += 1),
      folder: run.folder,
      checkpoints: job.checkpoints,
      plan: {
        epochs: job.epochs,
        epochMs: chance.between(EPOCH_MS_MIN, EPOCH_MS_MAX),
        limitBytes: run.needBytes,
        trueBytes: this.#trueNeeds.bytesOf(run, { given, modelType: job.modelType }),
        orphanGraceMs: scenario.orphanGraceMs,
      },
      loop,
      chance,
      journal,
      machine,
      onClaimed: () => this.invariants.onClaimed(),
      onLine: (folder) => reactor.onLine(folder),
      onExit: (gone) => {
        this.trainers.delete(gone.pid);
        reactor.onExit(gone);
      },
    });
    this.trainers.set(trainer.pid, trainer);
    return trainer;
  }

  #runEnded(run: RunRow): void {
    const runs = this.reactor.ground.tables.jobs.get(run.jobId)?.runs ?? [];
    this.invariants.onRunEnded(run, runs.filter((r) => r.state === 'lost').length);
  }

  #killForMemory(owner: string): void {
    const trainer = this.trainers.get(Number(owner.split(' ')[1]));
    if (trainer === undefined) {
      const servers = this.prime.smallBytes + this.prime.llm.bytes;
      return this.invariants.broken(
        'no server killed',
        `the kernel kills ${owner}, the servers hold ${servers}`,
      );
    }
    this.journal.fault('out of memory', `the kernel kills ${owner}`);
    trainer.kill();
  }

  /** More than all others have is for others to answer for: then memory ran out because of somebody else. */
  #memoryIsShort(): void {
    const { machine, scenario, invariants } = this;
    this.journal.fault('machine out of memory', `${machine.outsideBytes()} bytes are held from outside`);
    if (machine.outsideBytes() === 0)
      invariants.broken(
        'I2 physical memory',
        `${machine.usedBytes()} of ${scenario.budgetBytes} bytes are ours`,
      );
  }

  /** Whatever was promised: what is ours never is more than the budget. */
  #oursFits(): void {
    const { machine, scenario, invariants } = this;
    const ours = machine.usedBytes() - machine.outsideBytes();
    if (ours > scenario.budgetBytes)
      invariants.broken('I2 ours', `what is ours holds ${ours} bytes, the budget is ${scenario.budgetBytes}`);
  }

  #holderBytes(): ReadonlyMap<string, number> {
    const bytes = new Map<string, number>();
    const llm = this.machine.bytesOf(LLM_OWNER);
    if (llm > 0) bytes.set(LLM_HOLDER, llm);
    for (const { pid, folder } of this.liveTrainers())
      bytes.set(folder.jobId, (bytes.get(folder.jobId) ?? 0) + this.machine.bytesOf(`trainer ${pid}`));
    return bytes;
  }
}

export function isRefused(answer: unknown): answer is CodedError {
  return answer instanceof CodedError;
}
