// Stores what was read from dropped files, many small batches in one transaction, a large one in several. Each batch
// counts once, whatever transaction it came in.
import { CodedError, isCodedError, MAX_EXPERIENCES_PER_BATCH } from '@jarvis/contracts';
import type { Database } from '@jarvis/store';
import { type Batch, storeBatch } from '../store/experiences.ts';
import type { FoundFile, ReadFile } from './drop-file.ts';

export interface StoredFiles {
  /** Experiences that were not there before. */
  readonly stored: number;
  /** Files of which something was not there before. */
  readonly news: ReadonlySet<FoundFile>;
  readonly refused: ReadonlyMap<FoundFile, CodedError>;
}

/** As much of a file as a batch may have. */
interface Part {
  readonly file: FoundFile;
  readonly batch: Batch;
}

export async function storeDropped(
  db: Database,
  files: readonly ReadFile[],
  nowMs: number,
): Promise<StoredFiles> {
  const refused = new Map<FoundFile, CodedError>();
  for (const { file, batch } of files) if (batch instanceof CodedError) refused.set(file, batch);
  const news = new Set<FoundFile>();
  let stored = 0;
  for (const parts of packed(files.flatMap((file) => partsOf(file, nowMs)))) {
    const result = await storeParts(
      db,
      parts.filter(({ file }) => !refused.has(file)),
    );
    stored += result.stored;
    for (const file of result.news) news.add(file);
    for (const [file, why] of result.refused) refused.set(file, why);
  }
  return { stored, news, refused };
}

function storeParts(db: Database, parts: readonly Part[]): Promise<StoredFiles> {
  // All of it is made anew when the transaction is tried again.
  return db.transaction('core.experiences.drop', async (tx) => {
    const refused = new Map<FoundFile, CodedError>();
    const news = new Set<FoundFile>();
    let stored = 0;
    for (const { file, batch } of parts) {
      try {
        const result = await storeBatch(tx, batch);
        if (result.repeated) continue;
        stored += result.stored;
        news.add(file);
      } catch (error) {
        // Found before anything of this batch was written: the others of the transaction stay.
        if (!isCodedError(error, 'idempotency_conflict')) throw error;
        refused.set(file, error);
      }
    }
    return { stored, news, refused };
  });
}

function partsOf({ file, batch }: ReadFile, nowMs: number): Part[] {
  if (batch instanceof CodedError) return [];
  const { batchId, experiences } = batch;
  const count = Math.ceil(experiences.length / MAX_EXPERIENCES_PER_BATCH);
  return Array.from({ length: count }, (_, i) => {
    const from = i * MAX_EXPERIENCES_PER_BATCH;
    const part = {
      batchId: from === 0 ? batchId : `${batchId}:${from}`,
      source: 'drop_folder',
      experiences: experiences.slice(from, from + MAX_EXPERIENCES_PER_BATCH),
      nowMs,
    } as const;
    return { file, batch: part };
  });
}

/** In order, as many to a transaction as one batch may have experiences. */
function packed(parts: readonly Part[]): Part[][] {
  const transactions: Part[][] = [];
  let experiences = Infinity;
  for (const part of parts) {
    experiences += part.batch.experiences.length;
    if (experiences > MAX_EXPERIENCES_PER_BATCH) {
      transactions.push([]);
      experiences = part.batch.experiences.length;
    }
    transactions.at(-1)?.push(part);
  }
  return transactions;
}
