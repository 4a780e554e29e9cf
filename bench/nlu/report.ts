// The measured row beside the published ones.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface BenchResult {
  /** Percent; null when the test rows have none in scope. */
  readonly in_scope_accuracy: number | null;
  /** Percent; null when the test rows have none out of scope. */
  readonly oos_recall: number | null;
  /** Wall clock of the trainer's process. */
  readonly seconds: number;
  readonly predict_ms_p50: number;
  readonly artifact_mb: number;
  readonly epochs: number;
  readonly seed: number;
  readonly rows: number;
  readonly labels: number;
  readonly machine: string;
}

// Larson et al. 2019, "An Evaluation Dataset for Intent Classification and Out-of-Scope Prediction", EMNLP-IJCNLP,
// Table 2, column Full: in-scope accuracy, out-of-scope recall.
const PAPER: readonly (readonly [string, number, number])[] = [
  ['FastText, oos-train', 89.0, 9.7],
  ['SVM, oos-train', 91.0, 14.5],
  ['CNN, oos-train', 91.2, 18.9],
  ['DialogFlow, oos-train', 91.7, 14.0],
  ['Rasa, oos-train', 91.5, 45.3],
  ['MLP on USE, oos-train', 93.5, 47.4],
  ['BERT, oos-train', 96.9, 40.3],
  ['SVM, oos-threshold', 88.2, 18.0],
  ['FastText, oos-threshold', 88.6, 28.3],
  ['DialogFlow, oos-threshold', 90.8, 26.7],
  ['Rasa, oos-threshold', 90.9, 31.2],
  ['CNN, oos-threshold', 90.9, 30.9],
  ['MLP on USE, oos-threshold', 93.4, 49.1],
  ['BERT, oos-threshold', 96.2, 52.3],
];

function cell(value: number | null): string {
  return value === null ? '-' : value.toFixed(1);
}

/** A Markdown table. The published figures are those of CLINC150 full, whatever data the run had. */
export function paperTable(result: BenchResult): string {
  const rows = PAPER.map(([name, accuracy, recall]) => `| ${name} | ${cell(accuracy)} | ${cell(recall)} |`);
  const { in_scope_accuracy, oos_recall, seconds, predict_ms_p50, artifact_mb } = result;
  return [
    '| classifier | in-scope accuracy % | oos recall % |',
    '| --- | --- | --- |',
    ...rows,
    `| **ours, from scratch on CPU** | **${cell(in_scope_accuracy)}** | **${cell(oos_recall)}** |`,
    '',
    `Trained in ${seconds} s (${result.epochs} epochs, ${result.rows} rows in all splits, ${result.labels} labels), ` +
      `artifact ${artifact_mb} MB, ${predict_ms_p50} ms a prediction (median of single texts).`,
    `Machine: ${result.machine}.`,
    'Published: Larson et al. 2019, "An Evaluation Dataset for Intent Classification and Out-of-Scope Prediction", ' +
      'EMNLP-IJCNLP (aclanthology D19-1131), Table 2, CLINC150 full.',
  ].join('\n');
}

export async function saveResults(dir: string, result: BenchResult): Promise<void> {
  await mkdir(dir, { recursive: true });
  await writeFile(join(dir, 'nlu-clinc150.json'), `${JSON.stringify(result, null, 2)}\n`);
  const title = '# Intent recognition on CLINC150\n\nMade by `npm run bench:nlu -- --save`.\n\n';
  await writeFile(join(dir, 'nlu-clinc150.md'), `${title}${paperTable(result)}\n`);
}
