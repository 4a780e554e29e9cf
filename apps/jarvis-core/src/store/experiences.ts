// Experiences: stored in batches, each batch once; read back as what a training learns from.
import { createHash } from 'node:crypto';
import {
  CodedError,
  type Experience,
  type ExperienceStats,
  MODEL_TYPE_OF_EXPERIENCE,
  type ModelType,
} from '@jarvis/contracts';
import { type Database, type Reader, type Sql, sql, type Transaction } from '@jarvis/store';

/** Where an experience came from: `seed` is what the project ships, the others are the user's. */
export type ExperienceSource = 'seed' | 'api' | 'feedback' | 'drop_folder' | 'rollout';

export interface Batch {
  readonly batchId: string;
  readonly source: ExperienceSource;
  readonly experiences: readonly Experience[];
  readonly nowMs: number;
}

export interface Stored {
  readonly batch_id: string;
  readonly stored: number;
  readonly repeated: boolean;
}

/** Stores a batch once: the same batch_id again changes nothing; with other content it throws `idempotency_conflict`. */
export async function storeBatch(tx: Transaction, batch: Batch): Promise<Stored> {
  const digest = createHash('sha256').update(JSON.stringify(batch.experiences)).digest('hex');
  const known = await tx.get<{ digest: string; stored: number | string }>(
    sql`SELECT digest, stored FROM experience_batches WHERE batch_id = ${batch.batchId}`,
  );
  if (known !== undefined) {
    if (known.digest !== digest)
      throw new CodedError(
        'idempotency_conflict',
        `batch ${batch.batchId} was stored before with other experiences`,
      );
    return { batch_id: batch.batchId, stored: Number(known.stored), repeated: true };
  }
  await tx.run(
    sql`INSERT INTO experience_batches (batch_id, digest, stored) VALUES (${batch.batchId}, ${digest}, ${batch.experiences.length})`,
  );
  let seq = await reserveSequence(tx, batch.experiences.length);
  const counts = new Map<ModelType, { total: number; trainable: number }>();
  for (const experience of batch.experiences) {
    const modelType = MODEL_TYPE_OF_EXPERIENCE[experience.type];
    const trainable = experience.expected_output == null ? 0 : 1;
    await tx.run(sql`
      INSERT INTO experiences (seq, batch_id, model_type, source, input_key, label_key, trainable, body, stored_at)
      VALUES (${seq}, ${batch.batchId}, ${modelType}, ${batch.source}, ${keyOf(experience.input)}, ${keyOf(experience.expected_output ?? null)}, ${trainable}, ${JSON.stringify(experience)}, ${batch.nowMs})`);
    seq += 1;
    const count = counts.get(modelType) ?? { total: 0, trainable: 0 };
    counts.set(modelType, { total: count.total + 1, trainable: count.trainable + trainable });
  }
  for (const [modelType, count] of counts) {
    await tx.run(sql`
      INSERT INTO experience_counts (model_type, source, total, trainable) VALUES (${modelType}, ${batch.source}, ${count.total}, ${count.trainable})
      ON CONFLICT (model_type, source) DO UPDATE SET total = experience_counts.total + ${count.total}, trainable = experience_counts.trainable + ${count.trainable}`);
  }
  return { batch_id: batch.batchId, stored: batch.experiences.length, repeated: false };
}

/** The first of `n` sequence numbers that nobody else gets. */
async function reserveSequence(tx: Transaction, n: number): Promise<number> {
  const row = await tx.get<{ value: number | string }>(sql`
    INSERT INTO counters (name, value) VALUES ('experience', ${n})
    ON CONFLICT (name) DO UPDATE SET value = counters.value + ${n} RETURNING value`);
  return Number(row?.value) - n + 1;
}

/** The same input has the same key, whatever its case and spacing (the newest label of an input wins); so has a label. */
function keyOf(value: unknown): string {
  const text = JSON.stringify(value).toLowerCase().replaceAll(/\s+/g, ' ').trim();
  return createHash('sha256').update(text).digest('base64url').slice(0, 27);
}

export async function experienceStats(db: Database): Promise<ExperienceStats> {
  const rows = await db.all<{
    model_type: ModelType;
    source: string;
    total: number | string;
    trainable: number | string;
  }>(sql`SELECT * FROM experience_counts`);
  const by_kind: ExperienceStats['by_kind'] = {};
  const by_source: ExperienceStats['by_source'] = {};
  let total = 0;
  for (const row of rows) {
    total += Number(row.total);
    by_source[row.source] = (by_source[row.source] ?? 0) + Number(row.total);
    const kind = (by_kind[row.model_type] ??= {
      total: 0,
      trainable: 0,
      new_since_training: await countNew(db, row.model_type),
    });
    kind.total += Number(row.total);
    kind.trainable += Number(row.trainable);
  }
  return { total, by_kind, by_source };
}

/** Trainable experiences of the user's that no training, finished or under way, has been given yet. */
export async function countNew(db: Reader, modelType: ModelType): Promise<number> {
  const row = await db.get<{ n: number | string }>(sql`
    SELECT COUNT(*) AS n FROM experiences WHERE model_type = ${modelType} AND trainable = 1 AND source <> 'seed'
      AND seq > (SELECT COALESCE(MAX(data_through), 0) FROM jobs WHERE model_type = ${modelType} AND state NOT IN ('failed', 'cancelled'))`);
  return Number(row?.n ?? 0);
}

/** Experiences of a kind that have an expected output, seeds among them. */
export async function countTrainable(db: Database, modelType: ModelType): Promise<number> {
  const row = await db.get<{ n: number | string }>(
    sql`SELECT COALESCE(SUM(trainable), 0) AS n FROM experience_counts WHERE model_type = ${modelType}`,
  );
  return Number(row?.n ?? 0);
}

export async function countAll(db: Database): Promise<number> {
  const row = await db.get<{ n: number | string }>(
    sql`SELECT COALESCE(SUM(total), 0) AS n FROM experience_counts`,
  );
  return Number(row?.n ?? 0);
}

/** Whether anybody said what is right for this input. */
export async function isLabelled(
  tx: Transaction,
  modelType: ModelType,
  input: Experience['input'],
): Promise<boolean> {
  const row = await tx.get(sql`
    SELECT seq FROM experiences WHERE model_type = ${modelType} AND trainable = 1 AND input_key = ${keyOf(input)} LIMIT 1`);
  return row !== undefined;
}

export interface TrainableRow {
  readonly seq: number;
  readonly source: ExperienceSource;
  /** Whether no completed training was given this input with this label. */
  readonly fresh: boolean;
  readonly experience: Experience;
}

export interface TrainableSet {
  /** The last sequence number that the set takes in. */
  readonly through: number;
  /** The last one that a completed training took in; 0 before the first. */
  readonly learned: number;
  /** How many inputs have a label, seeds apart. */
  readonly labelled: number;
  /** Those of them that are fresh. */
  readonly fresh: number;
  readonly seeds: number;
}

/** 1 where the experience `e` is fresh: no completed training, whose data end at `learned`, had its input with its label. */
function freshness(learned: number): Sql {
  return sql`CASE WHEN e.seq > ${learned} AND NOT EXISTS (
    SELECT 1 FROM experiences o WHERE o.model_type = e.model_type AND o.trainable = 1 AND o.input_key = e.input_key
      AND o.label_key = e.label_key AND o.seq <= ${learned}) THEN 1 ELSE 0 END`;
}

export async function measureTrainable(db: Database, modelType: ModelType): Promise<TrainableSet> {
  const last = await db.get<{ learned: number | string }>(sql`
    SELECT COALESCE(MAX(data_through), 0) AS learned FROM jobs WHERE model_type = ${modelType} AND state = 'completed'`);
  const learned = Number(last?.learned ?? 0);
  await db.refreshStatistics('experiences');
  const row = await db.get<Record<'through' | 'labelled' | 'fresh' | 'seeds', number | string | null>>(sql`
    SELECT MAX(seq) AS through, SUM(CASE WHEN source <> 'seed' THEN 1 ELSE 0 END) AS labelled,
      SUM(CASE WHEN source <> 'seed' THEN ${freshness(learned)} ELSE 0 END) AS fresh,
      SUM(CASE WHEN source = 'seed' THEN 1 ELSE 0 END) AS seeds
    FROM experiences e WHERE model_type = ${modelType} AND trainable = 1
      AND seq = (SELECT MAX(seq) FROM experiences n WHERE n.model_type = ${modelType} AND n.trainable = 1 AND n.input_key = e.input_key)`);
  return {
    through: Number(row?.through ?? 0),
    learned,
    labelled: Number(row?.labelled ?? 0),
    fresh: Number(row?.fresh ?? 0),
    seeds: Number(row?.seeds ?? 0),
  };
}

export interface TrainablePage {
  readonly modelType: ModelType;
  readonly after: number;
  readonly set: Pick<TrainableSet, 'through' | 'learned'>;
  readonly limit: number;
}

/** A page of the newest labelled experience of each input, in order of arrival, after `after` and within the set. */
export async function readTrainable(db: Database, page: TrainablePage): Promise<TrainableRow[]> {
  const { through, learned } = page.set;
  const rows = await db.all<{
    seq: number | string;
    source: ExperienceSource;
    fresh: number | string;
    body: string;
  }>(sql`
    SELECT seq, source, ${freshness(learned)} AS fresh, body FROM experiences e
    WHERE model_type = ${page.modelType} AND trainable = 1 AND seq > ${page.after} AND seq <= ${through}
      AND seq = (SELECT MAX(seq) FROM experiences n
                 WHERE n.model_type = ${page.modelType} AND n.trainable = 1 AND n.input_key = e.input_key AND n.seq <= ${through})
    ORDER BY seq LIMIT ${page.limit}`);
  return rows.map((r) => ({
    seq: Number(r.seq),
    source: r.source,
    fresh: Number(r.fresh) === 1,
    experience: JSON.parse(r.body) as Experience,
  }));
}
