// What goes wrong, each kind at its own random times, until the faults are over.
import { BYTES_PER_GB } from '@jarvis/contracts';
import { Chance } from '../kernel/chance.ts';
import type { Disk } from '../kernel/disk.ts';
import type { SimProcess } from '../kernel/process.ts';
import type { Trainer } from '../reactor/trainer.ts';
import type { World } from '../world.ts';

const WRITES_MAX = 12;
const HOUR_MS = 3_600_000;
const SLOW_DISK_MS = 60_000;
const FULL_DISK_MS = 45_000;
const PARTITION_MS = 60_000;
const HOG_MS = 120_000;
const CREEP_STEPS = 8;
const CREEP_MS = 10_000;
const PAUSE_MS = 90_000;
/** What other programs leave to the servers: who takes more has the kernel kill one, whatever we do. */
const LEFT_SHARE = 0.01;
const HANG_MS = 180_000;
const WAKES_SHARE = 0.3;
const TRAINER_PAUSE_MS = 60_000;
/** Faults that hit only if a trainer lives then are tried so many times as often. */
const TRAINER_FAULTS = 0.3;
/** Only some of these find a trainer in their way. */
const HOGS = 0.3;

export class Faults {
  readonly #world: World;
  readonly #chance: Chance;
  readonly #mend = new Set<() => void>();

  constructor(world: World) {
    this.#world = world;
    this.#chance = new Chance(world.scenario.seed + 0xfa17);
  }

  begin(): void {
    const { core, reactor, prime } = this.#world;
    const rare = 1;
    this.#often(rare, () => this.#world.crashCore('at any moment'));
    this.#often(rare, () => this.#crashAtWrite(core.disk));
    this.#often(rare, () => this.#world.crashReactor('at any moment'));
    this.#often(rare, () => this.#crashAtWrite(reactor.disk));
    this.#often(rare, () => this.#world.crashPrime('at any moment'));
    this.#often(rare, () => this.#pause('JARVIS Core paused', core.process));
    this.#often(rare, () => this.#pause('Reactor Core paused', reactor.process));
    this.#often(rare, () => this.#jump());
    this.#often(rare, () => this.#trouble('slow disk of JARVIS Core', core.disk, 'slow', SLOW_DISK_MS));
    this.#often(rare, () => this.#trouble('full disk of JARVIS Core', core.disk, 'full', FULL_DISK_MS));
    this.#often(rare, () => this.#trouble('full disk of Reactor Core', reactor.disk, 'full', FULL_DISK_MS));
    this.#often(rare, () => this.#partition(core.process, reactor.process));
    this.#often(rare, () => this.#partition(core.process, prime.process));
    this.#often(HOGS, () => this.#hog());
    this.#often(HOGS, () => this.#creep());
    this.#often(rare, () => this.#pauseTraining());
    this.#often(rare, () => this.#unplug());
    this.#often(rare, () => this.#lowerBudget());
    this.#often(TRAINER_FAULTS, () => this.#onTrainer('trainer killed', (t) => t.kill()));
    this.#often(TRAINER_FAULTS, () => this.#onTrainer('trainer slow', (t) => this.#slowDown(t)));
    this.#often(TRAINER_FAULTS, () => this.#onTrainer('trainer hung', (t) => this.#hang(t)));
    this.#often(TRAINER_FAULTS, () => this.#onTrainer('trainer paused', (t) => this.#pauseTrainer(t)));
    this.#often(TRAINER_FAULTS, () => this.#onTrainer('stale trainer wrote', (t) => this.#staleWrite(t)));
  }

  /** Everything works again; what was hung or paused goes on. */
  end(): void {
    const { network, core, reactor } = this.#world;
    network.mishap = 0;
    core.disk.disarm();
    reactor.disk.disarm();
    for (const mend of this.#mend) mend();
    this.#mend.clear();
  }

  #often(share: number, fault: () => void): void {
    const { loop, scenario } = this.#world;
    loop.after(this.#chance.waitMs(scenario.faultEveryMs * share), () => {
      if (this.#world.quiet) return;
      fault();
      this.#often(share, fault);
    });
  }

  #for(meanMs: number, mend: () => void): void {
    const once = (): void => {
      if (this.#mend.delete(once)) mend();
    };
    this.#mend.add(once);
    this.#world.loop.after(this.#chance.waitMs(meanMs), once);
  }

  #crashAtWrite(disk: Disk): void {
    disk.crashAt(this.#chance.whole(1, WRITES_MAX), this.#chance.happens(0.5) ? 'before' : 'behind');
  }

  /** Stopped for longer than locks and leases live; its timers fire late. */
  #pause(kind: string, process: SimProcess): void {
    const { journal, scenario, invariants, loop } = this.#world;
    if (process.state !== 'running') return;
    const ms = Math.max(scenario.lockTtlMs, scenario.leaseTtlMs) * this.#chance.between(1, 4);
    journal.fault(kind, `for ${Math.round(ms / 1000)} s`);
    process.stop();
    this.#for(ms, () => {
      process.goOn();
      // What it had decided before, it does now.
      if (process === this.#world.core.process) invariants.disturbedAtMs = loop.nowMs;
    });
  }

  #jump(): void {
    const forward = this.#chance.happens(0.5);
    const ms = Math.round(this.#chance.waitMs(HOUR_MS / 4)) * (forward ? 1 : -1);
    this.#world.journal.fault(forward ? 'clock jumped forward' : 'clock jumped back', `${ms} ms`);
    this.#world.jumpWall(ms);
  }

  #trouble(kind: string, disk: Disk, what: 'slow' | 'full', meanMs: number): void {
    this.#world.journal.fault(kind, '');
    disk[what] = true;
    this.#for(meanMs, () => {
      disk[what] = false;
    });
  }

  #partition(a: SimProcess, b: SimProcess): void {
    const { journal, network } = this.#world;
    journal.fault('partition', `${a.name} and ${b.name} don't hear each other`);
    network.cut(a, b);
    this.#for(PARTITION_MS, () => network.mend(a, b));
  }

  #hog(): void {
    const { journal, machine, scenario } = this.#world;
    const bytes = this.#roomFor(scenario.budgetBytes * this.#chance.between(0.1, 0.8));
    if (bytes === 0 || machine.bytesOf('outside program') > 0) return;
    journal.fault('memory taken from outside', `${(bytes / BYTES_PER_GB).toFixed(1)} GB`);
    machine.hold('outside program', bytes);
    this.#for(HOG_MS, () => machine.hold('outside program', 0));
  }

  /** Another program that takes more and more, and gives it all back. */
  #creep(): void {
    const { journal, machine, scenario, loop } = this.#world;
    const owner = 'outside program that grows';
    if (machine.bytesOf(owner) > 0) return;
    const step = scenario.budgetBytes * this.#chance.between(0.01, 0.08);
    journal.fault('memory crept up from outside', `${(step / BYTES_PER_GB).toFixed(1)} GB at a time`);
    let open = true;
    const grow = (steps: number): void => {
      const bytes = this.#roomFor(step);
      if (!open || steps === 0 || bytes === 0) return;
      machine.hold(owner, machine.bytesOf(owner) + bytes);
      loop.after(CREEP_MS, () => grow(steps - 1));
    };
    this.#for(HOG_MS, () => {
      open = false;
      machine.hold(owner, 0);
    });
    grow(CREEP_STEPS);
  }

  #roomFor(bytes: number): number {
    const { machine, scenario } = this.#world;
    const servers = scenario.llmBytes + scenario.smallBytes + scenario.budgetBytes * LEFT_SHARE;
    return Math.max(0, Math.round(Math.min(bytes, scenario.budgetBytes - servers - machine.outsideBytes())));
  }

  /** `jarvis pause`: what trains stops at a checkpoint. */
  #pauseTraining(): void {
    const world = this.#world;
    world.journal.fault('training paused', '');
    world.pause = { reason: '', untilMs: null };
    world.invariants.disturbedAtMs = world.loop.nowMs;
    this.#for(PAUSE_MS, () => {
      world.pause = null;
      world.invariants.disturbedAtMs = world.loop.nowMs;
    });
  }

  /** What trains goes on, nothing new starts. */
  #unplug(): void {
    const world = this.#world;
    world.journal.fault('machine on its battery', '');
    world.use = { loadPerProcessor: null, onBattery: true };
    world.invariants.disturbedAtMs = world.loop.nowMs;
    this.#for(PAUSE_MS, () => {
      world.use = null;
      world.invariants.disturbedAtMs = world.loop.nowMs;
    });
  }

  /** As when somebody lowers the limit of a cgroup. */
  #lowerBudget(): void {
    const { journal, machine, scenario } = this.#world;
    const share = this.#chance.between(0.05, 0.4);
    journal.fault('budget lowered', `to ${share.toFixed(2)} of what it was`);
    const set = (bytes: number): void => {
      machine.budgetBytes = bytes;
      // Whom it is too small for changes, as soon as it is measured.
      this.#world.invariants.disturbedAtMs = this.#world.loop.nowMs;
    };
    set(Math.round(scenario.budgetBytes * share));
    this.#for(HOG_MS, () => set(scenario.budgetBytes));
  }

  #onTrainer(kind: string, fault: (trainer: Trainer) => void): void {
    const trainer = this.#chance.pick(this.#world.liveTrainers());
    if (trainer === undefined) return;
    this.#world.journal.fault(kind, `${trainer.process.name} of ${trainer.folder.jobId}`);
    fault(trainer);
  }

  #slowDown(trainer: Trainer): void {
    trainer.slowness = this.#chance.between(2, 10);
    this.#for(HANG_MS, () => {
      trainer.slowness = 1;
    });
  }

  #hang(trainer: Trainer): void {
    trainer.hung = true;
    // Most never wake up by themselves.
    if (this.#chance.happens(WAKES_SHARE)) this.#for(HANG_MS, () => trainer.wakeUp());
  }

  #pauseTrainer(trainer: Trainer): void {
    trainer.process.stop();
    this.#for(TRAINER_PAUSE_MS, () => trainer.process.goOn());
  }

  /** A line of an earlier attempt's trainer in the folder of a later one: its token gives it away. */
  #staleWrite({ folder }: Trainer): void {
    folder.lines.push({ token: folder.token - 1, pid: 1, line: { type: 'completed' } });
    this.#world.reactor.onLine(folder);
  }
}
