// What came of the mutants, file by file, and those that no test noticed.
import type { Stryker } from '@stryker-mutator/core';

export type Mutant = Pick<
  Awaited<ReturnType<Stryker['runMutationTest']>>[number],
  'fileName' | 'location' | 'mutatorName' | 'replacement' | 'status'
>;

interface Tally {
  readonly name: string;
  readonly killed: number;
  /** A test that no longer ends notices, too. */
  readonly timedOut: number;
  readonly survived: number;
  /** No test runs that place; counted as not noticed. */
  readonly uncovered: number;
  /** The tests could not even be loaded with it; told, and left out of the score. */
  readonly unloadable: number;
}

/** In percent, of mutants that a test noticed; 100 where there was nothing to change. */
export function scoreOf({ killed, timedOut, survived, uncovered }: Tally): number {
  const all = killed + timedOut + survived + uncovered;
  return all === 0 ? 100 : ((killed + timedOut) / all) * 100;
}

export function tallyOf(name: string, mutants: readonly Mutant[]): Tally {
  const count = (status: Mutant['status']): number => mutants.filter((m) => m.status === status).length;
  return {
    name,
    killed: count('Killed'),
    timedOut: count('Timeout'),
    survived: count('Survived'),
    uncovered: count('NoCoverage'),
    unloadable: count('RuntimeError'),
  };
}

/** The table of one room, its sum last. */
export function tableOf(room: string, mutants: readonly Mutant[]): string {
  const byFile = Map.groupBy(mutants, (m) => pathOf(m).slice(room.length + 1));
  const files = [...byFile].map(([file, own]) => tallyOf(`\`${file}\``, own));
  files.sort((a, b) => (a.name < b.name ? -1 : 1));
  return [
    '| file | score | killed | timeout | survived | no coverage | not loadable |',
    '| --- | --- | --- | --- | --- | --- | --- |',
    ...[...files, tallyOf('**all**', mutants)].map(
      (t) =>
        `| ${t.name} | ${scoreOf(t).toFixed(1)} % | ${t.killed} | ${t.timedOut} | ${t.survived} | ${t.uncovered} | ${t.unloadable} |`,
    ),
  ].join('\n');
}

/** `path:line:column mutator -> what stood there instead`, one a line. */
export function listUnnoticed(mutants: readonly Mutant[]): string[] {
  return mutants
    .filter((m) => m.status === 'Survived' || m.status === 'NoCoverage')
    .map((m) => {
      const { line, column } = m.location.start;
      const instead = m.replacement.replaceAll(/\s+/g, ' ').slice(0, SHOWN_MAX);
      return `${pathOf(m)}:${line}:${column} ${m.mutatorName} -> ${instead}`;
    });
}
const SHOWN_MAX = 90;

/** From the room on. */
function pathOf({ fileName }: Mutant): string {
  return fileName.slice(fileName.indexOf('packages/'));
}
