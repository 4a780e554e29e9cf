// Two homes with the whole system in each, and the versions that the parts of the proof of delivery need in them.
import { join } from 'node:path';
import type { Found } from './found.ts';
import { type Home, makeHome } from './home.ts';
import type { Fresh } from './refused.ts';
import { moveVersions } from './second-home.ts';
import {
  type Exported,
  GRAPH_FILE,
  importVersion,
  makeBrittle,
  trainVersions,
  VOCABULARY_FILE,
} from './versions.ts';

export interface Ground {
  /** Where the versions were trained, so that each candidate goes through the gate. */
  readonly first: Home;
  /** Where they were imported. */
  readonly second: Home;
  readonly trained: readonly Exported[];
  /** The brittle one of each home, by its name there. */
  readonly brittle: { readonly first: string; readonly second: string };
  /** What the versions that were moved are called in the second home. */
  readonly versions: readonly string[];
  /** In the second home, never fetched by its J-Prime; the brittle one is the last. */
  readonly fresh: readonly Fresh[];
  readonly moved: Found;
  end(): Promise<string[]>;
}

export interface GroundOptions {
  readonly folder: string;
  /** Versions to serve, and versions to damage. */
  readonly served: number;
  readonly fresh: number;
  readonly say: (line: string) => void;
}

export async function makeGround({ folder, served, fresh, say }: GroundOptions): Promise<Ground> {
  const first = await makeHome(join(folder, 'first'), folder);
  const second = await makeHome(join(folder, 'second'), folder);
  const end = async (): Promise<string[]> => {
    const codes = [await first.system.down(), await second.system.down()];
    return codes.flatMap((code, i) =>
      code === 0 ? [] : [`jarvis down of home ${i + 1}: exit code ${code}`],
    );
  };
  try {
    await Promise.all([first.up(), second.up()]);
    const trained = await trainVersions(first, served + fresh, folder);
    say(`trained ${trained.map((t) => t.version).join(', ')}`);
    const moved = await moveVersions({ from: first, to: second, exported: trained.slice(0, served) });
    const [oldest] = trained;
    if (oldest === undefined) throw new Error('nothing was trained');
    const brittle = await makeBrittle(oldest, join(folder, 'brittle'));
    const freshOnes: Fresh[] = [];
    for (const { folder: from } of trained.slice(served)) {
      const { version } = await importVersion(second, from);
      freshOnes.push({ version, folder: from, file: GRAPH_FILE });
    }
    const { version: brittleThere } = await importVersion(second, brittle);
    freshOnes.push({ version: brittleThere, folder: brittle, file: VOCABULARY_FILE });
    return {
      first,
      second,
      trained,
      brittle: {
        first: (await importVersion(first, brittle)).version,
        second: brittleThere,
      },
      versions: moved.versions,
      fresh: freshOnes,
      moved,
      end,
    };
  } catch (error) {
    say(first.system.output() + second.system.output());
    await end();
    throw error;
  }
}
