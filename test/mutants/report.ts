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
}

/** In percent, of mutants that a test noticed; 100 where there was nothing to change. */
export function scoreOf({ killed, timedOut, survived, uncovered }: Omit<Tally, 'name'>): number {
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
  };
}

/** The table of one room, its sum last. */
export function tableOf(room: string, mutants: readonly Mutant[]): string {
  const byFile = Map.groupBy(mutants, (m) => m.fileName.slice(m.fileName.indexOf(room)));
  const files = [...byFile].map(([file, own]) => tallyOf(`\`${file.slice(room.length + 1)}\``, own));
  files.sort((a, b) => (a.name < b.name ? -1 : 1));
  return [
    '| file | score | killed | timeout | survived | no coverage |',
    '| --- | --- | --- | --- | --- | --- |',
    ...[...files, tallyOf('**all**', mutants)].map(
      (t) =>
        `| ${t.name} | ${scoreOf(t).toFixed(1)} % | ${t.killed} | ${t.timedOut} | ${t.survived} | ${t.uncovered} |`,
    ),
  ].join('\n');
}

/** `path:line:column mutator -> what stood there instead`, one a line. */
export function listUnnoticed(mutants: readonly Mutant[]): string[] {
  return mutants
    .filter((m) => m.status === 'Survived' || m.status === 'NoCoverage')
    .map(({ fileName, location, mutatorName, replacement }) => {
      const { line, column } = location.start;
      const instead = (replacement ?? '').replaceAll(/\s+/g, ' ').slice(0, 90);
      return `${fileName}:${line}:${column} ${mutatorName} -> ${instead}`;
    });
}
