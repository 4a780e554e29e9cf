// The offline gate: candidate and champion on the same held-out rows, before any traffic.
import { execFile } from 'node:child_process';
import { copyFile, link, mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { MODEL_MANIFEST_FILE } from '@jarvis/contracts';
import { decideGate, type GateCounts, type GateDecision } from '@jarvis/policy';
import { z } from 'zod';
import type { Blobs } from '../registry/blobs.ts';
import { manifestOf, type VersionRow } from '../store/versions.ts';

const SCORE_PROGRAM = fileURLToPath(new URL('score.ts', import.meta.url));
const SCORE_LIMIT_MS = 600_000;
const PROBLEM_CHARS_MAX = 500;

const countsSchema = z.object({
  rows: z.int(),
  candidateCorrect: z.int(),
  championCorrect: z.int(),
  candidateOnly: z.int(),
  championOnly: z.int(),
});

export interface GateResult {
  readonly counts: GateCounts;
  readonly decision: GateDecision;
}

export interface GateOptions {
  readonly blobs: Blobs;
  readonly candidate: VersionRow;
  readonly champion: VersionRow;
  /** The candidate's data set, of which the held-out rows are scored. */
  readonly dataset: string;
  /** Ends the scoring. */
  readonly signal: AbortSignal;
}

/** Throws when the artifacts cannot be scored: then nothing is known, and nothing is rolled out. */
export async function runGate(options: GateOptions): Promise<GateResult> {
  const { blobs, candidate, champion, dataset, signal } = options;
  // Beside the data of the candidate's job, which one gate at a time reads: what a crash leaves there, the next one removes.
  const work = join(dirname(dataset), 'gate');
  await rm(work, { recursive: true, force: true });
  try {
    await mkdir(work, { recursive: true, mode: 0o700 });
    const folders = [join(work, 'candidate'), join(work, 'champion')] as const;
    await layOut(blobs, candidate, folders[0]);
    await layOut(blobs, champion, folders[1]);
    const { stdout } = await promisify(execFile)(process.execPath, [SCORE_PROGRAM, ...folders, dataset], {
      timeout: SCORE_LIMIT_MS,
      signal,
      killSignal: 'SIGKILL',
    });
    const counts = countsSchema.parse(JSON.parse(stdout));
    return { counts, decision: decideGate(counts) };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** What went wrong with a scoring, in a line for a person: the error that the program died of, if it said one. */
export function scoringProblem(error: unknown): string {
  const { message, stderr, killed } = error as { message: string; stderr?: string; killed?: boolean };
  if (killed === true) return `scoring took longer than ${SCORE_LIMIT_MS / 1000} s`;
  const said = (stderr ?? '').split('\n').find((line) => /^\w*Error\b/.test(line));
  return (said ?? message.split('\n')[0] ?? 'scoring failed').slice(0, PROBLEM_CHARS_MAX);
}

/** An artifact's folder out of its blobs. */
async function layOut(blobs: Blobs, version: VersionRow, folder: string): Promise<void> {
  await mkdir(folder);
  const files = Object.entries(manifestOf(version).files).map(
    ([name, { sha256 }]) => [name, sha256] as const,
  );
  for (const [name, sha256] of [[MODEL_MANIFEST_FILE, version.digest] as const, ...files]) {
    const target = join(folder, name);
    await link(blobs.path(sha256), target).catch(() => copyFile(blobs.path(sha256), target));
  }
}
