// What a part of the proof of delivery has found: figures for a person, and what did not hold.
export interface Found {
  readonly title: string;
  readonly rows: readonly (readonly [what: string, figure: string | number])[];
  readonly problems: readonly string[];
}

const SHOWN_MAX = 5;

/** The first few, and how many there were. */
export function some(what: string, list: readonly string[]): string[] {
  if (list.length === 0) return [];
  return [`${list.length} ${what}: ${list.slice(0, SHOWN_MAX).join('; ')}`];
}

export function reportOf(found: readonly Found[], machine: string): string {
  const sections = found.map(({ title, rows, problems }) =>
    [
      `## ${title}`,
      '',
      '| | |',
      '| --- | --- |',
      ...rows.map(([what, figure]) => `| ${what} | ${figure} |`),
      `| what did not hold | ${problems.join('; ') || 'nothing'} |`,
      '',
    ].join('\n'),
  );
  return [
    '# Progressive delivery, on the whole system',
    '',
    'Made by `npm run proof:delivery -- --save`: `jarvis up` in homes of its own, really trained versions, real HTTP.',
    `Machine: ${machine}.`,
    '',
    ...sections,
  ].join('\n');
}
