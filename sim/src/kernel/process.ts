// A process of the simulated machine. Killed, all that it had planned is gone; stopped (SIGSTOP), it happens late, all
// at once, when the process goes on. Nothing in it notices either.
import type { EventLoop } from './event-loop.ts';

/** Thrown by a disk in the middle of somebody's work: the process is gone, and the rest of that work with it. */
export class Crash extends Error {}

export type ProcessState = 'down' | 'running' | 'stopped';

export class SimProcess {
  readonly name: string;
  state: ProcessState = 'down';
  /** Whether it takes calls: a service that starts does not yet. */
  listening = false;
  generation = 0;
  #late: (() => void)[] = [];
  readonly #loop: EventLoop;

  constructor(name: string, loop: EventLoop) {
    this.name = name;
    this.#loop = loop;
  }

  get up(): boolean {
    return this.state !== 'down';
  }

  start(): void {
    this.state = 'running';
  }

  kill(): void {
    this.state = 'down';
    this.listening = false;
    this.generation += 1;
    this.#late = [];
  }

  stop(): void {
    if (this.state === 'running') this.state = 'stopped';
  }

  goOn(): void {
    if (this.state !== 'stopped') return;
    this.state = 'running';
    for (const run of this.#late.splice(0)) this.#loop.after(0, this.bound(run));
  }

  after(ms: number, run: () => void): void {
    this.#loop.after(ms, this.bound(run));
  }

  every(ms: number, run: () => void): void {
    const again = (): void => {
      run();
      this.after(ms, again);
    };
    this.after(ms, again);
  }

  /** `run` as work of this process as it is now: not done after its death, done late while it is stopped. */
  bound<A extends unknown[]>(run: (...args: A) => void): (...args: A) => void {
    const { generation } = this;
    return (...args) => {
      if (generation !== this.generation || this.state === 'down') return;
      if (this.state === 'stopped') this.#late.push(() => run(...args));
      else this.#guard(() => run(...args));
    };
  }

  #guard(run: () => void): void {
    try {
      run();
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
    }
  }
}
