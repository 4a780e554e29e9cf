// Which process of this machine is the server: who listens on its port. Its children, which hold the models, count with it.
import { findListener, isSameProcess, processStartTicks } from '@jarvis/process';
import { isLoopback } from '@jarvis/runtime';

export class HeldBy {
  readonly #port: number | null;
  #known: { readonly pid: number; readonly startTicks: number } | null = null;

  constructor(url: string) {
    const { hostname, port, protocol } = new URL(url);
    this.#port = isLoopback(hostname) ? Number(port || (protocol === 'https:' ? 443 : 80)) : null;
  }

  /** Empty where it is elsewhere, somebody else's, or in a container. */
  async pids(): Promise<readonly number[]> {
    if (this.#port === null) return [];
    const known = this.#known;
    // To look for it goes through all files of all processes; to look whether it is still the same, through one.
    if (known !== null && (await isSameProcess(known.pid, known.startTicks))) return [known.pid];
    this.#known = null;
    const listener = await findListener(this.#port);
    const startTicks = listener === null ? null : await processStartTicks(listener.pid);
    if (listener === null || startTicks === null) return [];
    this.#known = { pid: listener.pid, startTicks };
    return [listener.pid];
  }
}
