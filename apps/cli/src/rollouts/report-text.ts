// The report of a rollout as Markdown that reads well in a terminal too.
import type { Deployment, RolloutReport, RolloutSample } from '@jarvis/contracts';

/** Of the evidence over time; between the first and the last as many as fit. */
const SAMPLES_TOLD = 20;

const GUARDS: Readonly<Record<Deployment['guards'][number]['guard'], string>> = {
  error_share: 'errs more often',
  slow_answers: 'is slow more often',
  paired_accuracy: 'is less accurate',
  failure_limit: 'fails too often',
};

export function reportText(report: RolloutReport): string {
  const { deployment: d } = report;
  const sections = [
    `# ${d.model_type} ${d.model_version} beside ${d.stable_version ?? 'nothing'}: ${d.state.replaceAll('_', ' ')}`,
    d.reason,
    `Strategy ${d.strategy}, since ${d.created_at}${d.ended_at === null ? '' : `, ended ${d.ended_at}`}.`,
    gateText(d),
    stepsText(d),
    guardsText(report),
    ratesText(report),
    pairsText(report),
    overTimeText(report),
  ];
  return `${sections.filter((section) => section !== '').join('\n\n')}\n`;
}

function gateText({ gate }: Deployment): string {
  if (gate === null) return '';
  const { rows, candidate_correct, champion_correct, candidate_only, champion_only, p_value } = gate;
  return (
    `Before any traffic, on ${rows} held-out rows: ${candidate_correct} correct, champion ${champion_correct}; ` +
    `where just one was, the candidate ${candidate_only} and the champion ${champion_only} (p ${figure(p_value)}).`
  );
}

function stepsText({ steps }: Deployment): string {
  if (steps.length === 0) return '';
  const rows = steps.map((s) => [
    `${s.percent} %`,
    s.started_at,
    `${s.seconds.toFixed(0)} s`,
    s.requests,
    s.pairs,
  ]);
  return `## Steps\n\n${tableText(['share', 'from', 'for', 'requests', 'answered by both'], rows)}`;
}

function guardsText({ deployment, no_worse: noWorse }: RolloutReport): string {
  if (deployment.steps.length === 0) return '';
  const rows = deployment.guards.map((g) => [
    `the candidate ${GUARDS[g.guard]}`,
    figure(g.evidence),
    figure(g.threshold),
    g.broken ? 'broken' : '',
  ]);
  const shown =
    deployment.strategy === 'ab_test'
      ? [
          [
            'it is no worse',
            figure(Math.max(noWorse.by_errors, noWorse.by_pairs)),
            figure(noWorse.threshold),
            '',
          ],
        ]
      : [];
  return `## Evidence\n\n${tableText(['that', 'evidence', 'needed', ''], [...rows, ...shown])}`;
}

function ratesText({ rates, deployment }: RolloutReport): string {
  if (deployment.steps.length === 0) return '';
  const rows = rates.map((r) => [
    r.what,
    r.arm,
    `${r.events} of ${r.requests}`,
    r.requests === 0 ? '' : `${share(r.lower)} to ${share(r.upper)}`,
  ]);
  return `## Requests\n\n${tableText(['', 'by', 'requests', 'true share, 95 % at all times'], rows)}`;
}

function pairsText({ now }: RolloutReport): string {
  const { answered, differed, candidate_wrong: lost, stable_wrong: won } = now.pairs;
  if (answered === 0) return '';
  return (
    `Both answered ${answered} inputs, ${differed} of them differently. Of those of which it was said later what was ` +
    `right, just the candidate was wrong on ${lost}, and just the stable version on ${won}.`
  );
}

function overTimeText({ samples }: RolloutReport): string {
  if (samples.length < 2) return '';
  const names = samples[0]?.guards.map((g) => g.guard) ?? [];
  const rows = some(samples).map((sample) => [
    sample.at,
    `${sample.percent} %`,
    sample.requests.candidate,
    ...names.map((name) => figure(sample.guards.find((g) => g.guard === name)?.evidence ?? 1)),
  ]);
  const heads = ['at', 'share', 'requests', ...names.map((name) => GUARDS[name])];
  return `## Evidence over time\n\n${tableText(heads, rows)}`;
}

/** The first, the last, and between them as many as are told, evenly. */
function some(samples: readonly RolloutSample[]): RolloutSample[] {
  if (samples.length <= SAMPLES_TOLD) return [...samples];
  const last = samples.length - 1;
  const at = (i: number): number => Math.round((i * last) / (SAMPLES_TOLD - 1));
  return Array.from({ length: SAMPLES_TOLD }, (_, i) => samples[at(i)]).filter((s) => s !== undefined);
}

function tableText(heads: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const line = (cells: readonly (string | number)[]): string => `| ${cells.join(' | ')} |`;
  return [line(heads), line(heads.map(() => '---')), ...rows.map(line)].join('\n');
}

function figure(x: number): string {
  return String(Number(x.toPrecision(3)));
}

function share(x: number): string {
  return `${figure(x * 100)} %`;
}
