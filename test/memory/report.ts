// The table of the memory proof.
import { inGb, type NegotiationPolicy } from '@jarvis/contracts';
import { ownMs } from './asking-mid-training.ts';
import type { Control } from './control.ts';
import type { ShortEstimate } from './short-estimate.ts';
import { IDLE_SECONDS, LOAD_MS, SIZES } from './small-machine.ts';
import type { Account } from './story.ts';

export interface PolicyReport {
  readonly policy: NegotiationPolicy;
  readonly account: Account;
  readonly kills: number;
  readonly peakBytes: number | null;
  readonly limitBytes: number;
  readonly problems: readonly string[];
}

export interface Report {
  readonly control: Control;
  readonly reports: readonly PolicyReport[];
  readonly short: readonly ShortEstimate[];
  readonly problems: readonly string[];
  readonly machine: string;
}

function median(values: readonly number[]): string {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted[Math.floor(sorted.length / 2)];
  const most = sorted.at(-1);
  return middle === undefined || most === undefined ? '-' : `${seconds(middle)} (${seconds(most)})`;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}

export function reportOf({ control, reports, short, problems, machine }: Report): string {
  const row = (what: string, cell: (r: PolicyReport) => string): string =>
    `| ${what} | ${reports.map(cell).join(' | ')} |`;
  return [
    '# Training beside an LLM server on a machine too small for both',
    '',
    `Made by \`npm run proof:memory -- --save\`. Machine: ${machine}.`,
    '',
    `A memory cgroup of ${SIZES.limit} MiB holds everything: three services and their supervisor, an LLM server that takes`,
    `${SIZES.llm} MiB and loads in ${LOAD_MS} ms, a trainer that takes ${SIZES.trainer} MiB (64, 38 and 32 GB at a fortieth). Idle`,
    `means ${IDLE_SECONDS} s. Between the trainings come bursts of requests, and one in the middle of each.`,
    '',
    `**Without negotiation** the kernel killed ${control.kills}: ${control.what}.`,
    '',
    `| median (most) | ${reports.map((r) => r.policy).join(' | ')} |`,
    `| --- |${' --- |'.repeat(reports.length)}`,
    row('killed by the kernel', (r) => String(r.kills)),
    row('trainings completed', (r) => `${r.account.completed} in ${r.account.attempts} attempts`),
    row('requests answered', (r) => String(r.account.answered)),
    row('requests told when to come again', (r) => String(r.account.sentAway)),
    row('requests without an answer', (r) => String(r.account.unanswered.length)),
    row('from asking for memory to its grant', (r) => median(r.account.grantMs)),
    row('from the submission to the second epoch', (r) => median(r.account.delayMs)),
    row('from the submission to the end', (r) => median(r.account.jobMs)),
    row('request in mid-training to its answer', (r) => median(r.account.interrupted.map((t) => t.ms))),
    row('of that to the checkpoint', (r) => median(r.account.interrupted.map((t) => t.checkpointMs))),
    row('of that to load the LLM', (r) => median(r.account.interrupted.map((t) => t.loadMs))),
    row('of that the rest', (r) => median(r.account.interrupted.map(ownMs))),
    row(
      'time without the LLM',
      (r) => `${((100 * r.account.llmAwayMs) / r.account.ms).toFixed(0)} % of ${seconds(r.account.ms)}`,
    ),
    row('most memory held, of the limit', (r) =>
      r.peakBytes === null ? '-' : `${inGb(r.peakBytes)} of ${inGb(r.limitBytes)}`,
    ),
    row('different results, all of them those of an undisturbed training', (r) =>
      String(r.account.digests.size),
    ),
    '',
    ...shortLines(short),
    '',
    problems.length === 0 ? 'Everything held.' : `Did not hold: ${problems.join('; ')}.`,
    '',
  ].join('\n');
}

function shortLines(short: readonly ShortEstimate[]): string[] {
  return [
    '**Told less than it takes**, beside an LLM server that goes on answering:',
    '',
    '| | killed by the kernel | asked for in turn | requests answered | the job |',
    '| --- | --- | --- | --- | --- |',
    ...short.map(
      ({ what, kills, askedFor, answered, job }) =>
        `| ${what} | ${kills}, the trainer each time | ${askedFor.map(inGb).join(', ')} | ${answered} | ${job?.state}, attempt ${job?.attempt}: ${job?.reason} |`,
    ),
  ];
}
