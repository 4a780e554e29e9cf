// Rows of an intent data set: JSON Lines, gzip or not, {"text", "label", "split": "train" | "val" | "test"}.
import { readFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';

const SPLITS = ['train', 'val', 'test'] as const;

export interface LabelledText {
  readonly text: string;
  readonly label: string;
  readonly split: (typeof SPLITS)[number];
}

function isLabelledText(row: unknown): row is LabelledText {
  if (typeof row !== 'object' || row === null) return false;
  const { text, label, split } = row as Record<string, unknown>;
  return typeof text === 'string' && typeof label === 'string' && SPLITS.some((known) => known === split);
}

/** @throws when a line is no such row */
export async function readLabelledTexts(path: string): Promise<LabelledText[]> {
  const bytes = await readFile(path);
  const text = (path.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8');
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  return lines.map((line, i) => {
    const row: unknown = JSON.parse(line);
    if (!isLabelledText(row))
      throw new Error(`${path}:${i + 1}: not {"text", "label", "split": "train|val|test"}`);
    return row;
  });
}
