// What a bench is asked for on its command line, and where its report goes.
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

/** For `parseArgs`, beside a bench's own. */
export const OUTPUT_OPTIONS = {
  save: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
} as const;

export interface Output {
  /** Of the file in bench/results, without its ending. */
  readonly name: string;
  readonly report: string;
  readonly figures: unknown;
}

/** The report, or with --json the figures, on stdout; with --save the report is kept. */
export async function tell(output: Output, asked: { save: boolean; json: boolean }): Promise<void> {
  process.stdout.write(asked.json ? `${JSON.stringify(output.figures)}\n` : output.report);
  const file = new URL(`../results/${output.name}.md`, import.meta.url);
  if (asked.save) await writeFile(fileURLToPath(file), output.report);
}
