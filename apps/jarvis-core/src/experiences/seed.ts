// The seed set of a kind: a few phrases for each intent, stored as experiences once, from which the baseline is made.
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { CodedError, type Experience, MAX_EXPERIENCES_PER_BATCH } from '@jarvis/contracts';
import type { Database } from '@jarvis/store';
import { z } from 'zod';
import { storeBatch } from '../store/experiences.ts';

const seedRowSchema = z.object({ text: z.string().min(1), label: z.string().min(1) });

/** Answers how many phrases the set has. Throws `invalid_request` with the line that is wrong. */
export async function storeSeed(db: Database, path: string, nowMs: number): Promise<number> {
  const content = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new CodedError(
      'invalid_request',
      `cannot read the seed set ${path} (NLU_SEED_PATH): ${(error as Error).message}`,
    );
  });
  const experiences = content
    .split('\n')
    .flatMap((line, i) => (line.trim() === '' ? [] : [seedExperience(line, `${path}:${i + 1}`)]));
  const digest = createHash('sha256').update(content).digest('hex');
  for (let from = 0; from < experiences.length; from += MAX_EXPERIENCES_PER_BATCH) {
    const batch = experiences.slice(from, from + MAX_EXPERIENCES_PER_BATCH);
    await db.transaction('core.experiences.seed', (tx) =>
      storeBatch(tx, {
        batchId: `seed-${digest.slice(0, 32)}-${from}`,
        source: 'seed',
        experiences: batch,
        nowMs,
      }),
    );
  }
  return experiences.length;
}

function seedExperience(line: string, where: string): Experience {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw new CodedError('invalid_request', `${where} is not JSON`);
  }
  const row = seedRowSchema.safeParse(value);
  if (!row.success)
    throw new CodedError('invalid_request', `${where}: ${row.error.issues.map((i) => i.message).join('; ')}`);
  return { type: 'command', input: { text: row.data.text }, expected_output: { intent: row.data.label } };
}
