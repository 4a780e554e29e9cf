// Medians and ratios of the rounds, and the table of them.
import type { ServiceName } from '@jarvis/contracts';
import { median } from '../shared/median.ts';
import { spreadInWords } from '../shared/ratios.ts';

export type Victim = ServiceName | 'supervisor';

export const VICTIMS = {
  'jarvis-core': 'JARVIS Core',
  'j-prime': 'J-Prime',
  'reactor-core': 'Reactor Core',
  supervisor: 'supervisor, then `jarvis up`',
} as const satisfies Record<Victim, string>;

export interface Recovery {
  readonly victim: Victim;
  readonly round: number;
  /** Kill to the answer of another process; of the supervisor, to its word. */
  readonly answersMs: number;
  /** Kill to the word of the supervisor that it is healthy. */
  readonly saidMs: number;
  /** The bare process, restarted in the same round. */
  readonly bareMs: number;
}

export function reportOf(recoveries: readonly Recovery[], machine: string): string {
  const lines = (Object.keys(VICTIMS) as Victim[]).flatMap((victim) => {
    const of = recoveries.filter((r) => r.victim === victim);
    if (of.length === 0) return [];
    const ms = (each: (r: Recovery) => number): string => String(Math.round(median(of.map(each))));
    const cells = [
      VICTIMS[victim],
      spreadInWords(of.map((r) => r.answersMs / r.bareMs)),
      ms((r) => r.answersMs),
      ms((r) => r.saidMs),
      ms((r) => r.bareMs),
    ];
    return [`| ${cells.join(' | ')} |`];
  });
  const rounds = new Set(recoveries.map((r) => r.round)).size;
  return [
    '# Recovery',
    '',
    'Made by `npm run bench:recovery -- --save`. `jarvis up` runs with its defaults, and one process is killed with `kill -9`: the time until',
    'another process answers its `/health`, and until the supervisor says that it is healthy. A service that has fallen for the first time is started',
    'again after 0.25 to 0.5 s (`SERVICE_RESTART_DELAY`), which is in the figures. A killed supervisor leaves the services running; a new `jarvis up`',
    'adopts them, until `3/3 operational`. Beside it, in the same round, a bare Node + Fastify process, killed and started again at once, until it answers.',
    '',
    '| killed | answers / bare: median (least to greatest) | answers again, ms | said to be healthy, ms | bare, ms |',
    '| --- | --- | --- | --- | --- |',
    ...lines,
    '',
    `${rounds} rounds, medians. Machine: ${machine}.`,
    '',
  ].join('\n');
}
