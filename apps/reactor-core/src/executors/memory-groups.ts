// The memory groups of this home's trainers: one for each attempt, named after home and attempt, so that what a crash left
// behind is found, and what belongs to somebody else is never touched.
//
//   jarvis-<home>.<job_id>.<attempt>
import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import {
  findMemoryGroups,
  makeMemoryLimit,
  type MemoryLimit,
  readGroupPeak,
  readOomKills,
  removeMemoryGroup,
} from '@jarvis/process';
import { hasReached } from '../runs/memory-verdict.ts';
import type { RunKey } from '../store/runs.ts';

const HOME_KEY_CHARS = 16;

export class MemoryGroups {
  readonly #prefix: string;

  /** A copied home has the id of the first: its folder tells them apart. */
  constructor(home: { readonly homeId: string; readonly folder: string }) {
    const key = createHash('sha256').update(`${home.homeId}\n${home.folder}`).digest('hex');
    this.#prefix = `jarvis-${key.slice(0, HOME_KEY_CHARS)}.`;
  }

  make(run: RunKey, limitBytes: number): Promise<MemoryLimit> {
    return makeMemoryLimit(this.#nameOf(run), limitBytes);
  }

  /** Whether the kernel killed a process of a group for the group's own limit, not for want of memory on the machine. */
  async hasRunOut(group: string, limitBytes: number): Promise<boolean> {
    const kills = (await readOomKills(group)) ?? 0;
    return kills > 0 && hasReached(await readGroupPeak(group), limitBytes);
  }

  /** For a trainer that is gone; whoever is left in its group is killed. False: try again later. */
  async remove(group: string): Promise<boolean> {
    if (!basename(group).startsWith(this.#prefix)) return true;
    return await removeMemoryGroup(group, this.#prefix);
  }

  /** Removes groups of this home that were made and never noted: those of none of these runs. */
  async removeOthers(live: readonly RunKey[]): Promise<void> {
    const kept = new Set(live.map((run) => this.#nameOf(run)));
    for (const group of await findMemoryGroups(this.#prefix))
      if (!kept.has(basename(group))) await removeMemoryGroup(group, this.#prefix);
  }

  #nameOf({ job_id, attempt }: RunKey): string {
    return `${this.#prefix}${job_id}.${attempt}`;
  }
}
