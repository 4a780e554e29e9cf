// Medians and ratios of the looks, and the table of them.
import { median } from '../shared/median.ts';
import { spreadInWords } from '../shared/ratios.ts';

interface Cost {
  readonly ms: number;
  /** Of this process, all threads. */
  readonly cpuMs: number;
}

export interface Look {
  /** Trees that are measured. */
  readonly size: number;
  /** On the whole machine: all are listed. */
  readonly processes: number;
  readonly raw: Cost;
  readonly ours: Cost;
}

/** JARVIS Core looks so often. */
const LOOK_INTERVAL_MS = 2_000;

export function reportOf(looks: readonly Look[], machine: string): string {
  const sizes = [...new Set(looks.map((look) => look.size))];
  return [
    '# A look at the memory of process trees',
    '',
    'Made by `npm run bench:measuring -- --save`. `readTrees` of so many children of Node, each a tree of its own; beside it the',
    'same files of `/proc` read raw (`stat` of every process, `smaps_rollup` and `status` of those measured), all at once and',
    'nothing made of them. In turns within each round.',
    '',
    '| trees | processes on the machine | ratio within a round, ours / raw: median (least to greatest) | ours, ms | raw, ms | ours, CPU ms | of a processor, every 2 s |',
    '| --- | --- | --- | --- | --- | --- | --- |',
    ...sizes.map((size) => rowOf(looks.filter((look) => look.size === size))),
    '',
    `${looks.length / sizes.length} rounds, medians. Machine: ${machine}.`,
    '',
  ].join('\n');
}

function rowOf(looks: readonly Look[]): string {
  const of = (figure: (look: Look) => number): number => median(looks.map(figure));
  const cpuMs = of((look) => look.ours.cpuMs);
  const cells = [
    looks[0]?.size,
    of((look) => look.processes),
    spreadInWords(looks.map((look) => look.ours.ms / look.raw.ms)),
    of((look) => look.ours.ms).toFixed(1),
    of((look) => look.raw.ms).toFixed(1),
    cpuMs.toFixed(1),
    `${((cpuMs / LOOK_INTERVAL_MS) * 100).toFixed(2)} %`,
  ];
  return `| ${cells.join(' | ')} |`;
}
