// Evidence that the judge has not acknowledged. A row keeps its id however often it is sent, and goes only when it was
// acknowledged. Requests of one deployment, arm and step gather in one row until that row is first sent.
//
//   counts, failures -> row (attempted 0) -> batch (attempted 1) -> acknowledged: gone
import { type Arm, type Evidence, evidenceSchema, MAX_EVIDENCE_PER_BATCH } from '@jarvis/contracts';
import { type Database, sql, type Transaction } from '@jarvis/store';

/** Deployments whose broken candidate was told of; older ones are over, and forgotten. */
const BROKEN_REPORTED_KEPT = 1000;
/** Rows that the judge will not take, kept for a person to look at. */
const REFUSED_KEPT = 1000;

/** Behind all rows that are there; those that went may have had it before. */
const NEXT_SEQ = sql`(SELECT coalesce(max(seq), 0) + 1 FROM outbox)`;

export type RequestCount = Extract<Evidence, { kind: 'requests' }>;
export type Failure = Extract<Evidence, { kind: 'failed' }>;
export type Broken = Extract<Evidence, { kind: 'broken' }>;

/** Stores counts before failures, so that the judge never hears of more failures than requests. */
export async function addEvidence(
  db: Database,
  counts: readonly RequestCount[],
  failures: readonly Failure[],
): Promise<void> {
  await db.transaction('prime.evidence.add', async (tx) => {
    for (const c of counts)
      await tx.run(sql`
        INSERT INTO outbox (seq, evidence_id, kind, deployment_id, arm, observed_at, step, count)
        VALUES (${NEXT_SEQ}, ${c.evidence_id}, 'requests', ${c.deployment_id}, ${c.arm}, ${c.observed_at}, ${c.step}, ${c.count})
        ON CONFLICT (deployment_id, arm, step) WHERE kind = 'requests' AND attempted = 0
        DO UPDATE SET count = outbox.count + excluded.count, observed_at = excluded.observed_at`);
    for (const f of failures)
      await tx.run(sql`
        INSERT INTO outbox (seq, evidence_id, kind, deployment_id, arm, observed_at, weight, session_hash)
        VALUES (${NEXT_SEQ}, ${f.evidence_id}, 'failed', ${f.deployment_id}, ${f.arm}, ${f.observed_at}, ${f.weight}, ${f.session_hash})`);
  });
}

/** Stores that a candidate is broken, once for each deployment. */
export async function addBroken(db: Database, broken: Broken): Promise<void> {
  await db.transaction('prime.evidence.broken', async (tx) => {
    const isNews = await tx.run(sql`INSERT INTO broken_reported (deployment_id, seq)
      VALUES (${broken.deployment_id}, (SELECT coalesce(max(seq), 0) + 1 FROM broken_reported))
      ON CONFLICT (deployment_id) DO NOTHING`);
    if (isNews === 0) return;
    await tx.run(sql`INSERT INTO outbox (seq, evidence_id, kind, deployment_id, arm, observed_at, detail)
      VALUES (${NEXT_SEQ}, ${broken.evidence_id}, 'broken', ${broken.deployment_id}, ${broken.arm}, ${broken.observed_at}, ${broken.detail})`);
    await tx.run(sql`DELETE FROM broken_reported WHERE seq <=
      (SELECT max(seq) FROM broken_reported) - ${BROKEN_REPORTED_KEPT}`);
  });
}

/**
 * The next rows to send; from now on they stay as they are. New rows wait until those that were tried are acknowledged:
 * so requests go on gathering in one row for as long as the judge is away.
 */
export async function takeBatch(db: Database, rowsMax: number): Promise<Evidence[]> {
  const limit = Math.min(rowsMax, MAX_EVIDENCE_PER_BATCH);
  return db.transaction('prime.evidence.take', async (tx) => {
    const tried = await nextRows(tx, 1, limit);
    if (tried.length > 0) return tried.map(evidenceOf);
    const fresh = await nextRows(tx, 0, limit);
    for (const row of fresh) await tx.run(sql`UPDATE outbox SET attempted = 1 WHERE seq = ${row.seq}`);
    return fresh.map(evidenceOf);
  });
}

function nextRows(tx: Transaction, attempted: 0 | 1, limit: number): Promise<OutboxRow[]> {
  return tx.all<OutboxRow>(sql`SELECT * FROM outbox WHERE attempted = ${attempted} AND refused IS NULL
    ORDER BY seq LIMIT ${limit}`);
}

export async function acknowledge(db: Database, batch: readonly Evidence[]): Promise<void> {
  await db.transaction('prime.evidence.acknowledge', async (tx) => {
    for (const { evidence_id: id } of batch) await tx.run(sql`DELETE FROM outbox WHERE evidence_id = ${id}`);
  });
}

/** Sets a row aside that the judge will never take, so that it does not hold up the others. */
export async function refuse(db: Database, evidence: Evidence, reason: string): Promise<void> {
  await db.transaction('prime.evidence.refuse', async (tx) => {
    await tx.run(sql`UPDATE outbox SET refused = ${reason} WHERE evidence_id = ${evidence.evidence_id}`);
    await forgetOldRefusals(tx);
  });
}

/** How much evidence waits, when the oldest of it was seen, and how much was refused. */
export async function readOutbox(
  db: Database,
): Promise<{ pending: number; oldestAt: string | null; refused: number }> {
  const row = await db.get<{
    waiting: number | string | null;
    oldest: string | null;
    refused: number | string | null;
  }>(sql`
    SELECT sum(CASE WHEN refused IS NULL THEN 1 ELSE 0 END) AS waiting,
      min(CASE WHEN refused IS NULL THEN observed_at END) AS oldest,
      sum(CASE WHEN refused IS NULL THEN 0 ELSE 1 END) AS refused FROM outbox`);
  return {
    pending: Number(row?.waiting ?? 0),
    oldestAt: row?.oldest ?? null,
    refused: Number(row?.refused ?? 0),
  };
}

export async function pendingFailures(db: Database): Promise<number> {
  const row = await db.get<{ n: number }>(
    sql`SELECT count(*) AS n FROM outbox WHERE refused IS NULL AND kind = 'failed'`,
  );
  return row?.n ?? 0;
}

async function forgetOldRefusals(tx: Transaction): Promise<void> {
  await tx.run(sql`DELETE FROM outbox WHERE refused IS NOT NULL AND seq NOT IN
    (SELECT seq FROM outbox WHERE refused IS NOT NULL ORDER BY seq DESC LIMIT ${REFUSED_KEPT})`);
}

/** null when the row is evidence as the contract has it. */
export function whatIsWrongWith(row: OutboxRow): string | null {
  const parsed = evidenceSchema.safeParse(columnsOf(row));
  if (parsed.success) return null;
  const [issue] = parsed.error.issues;
  return `${row.evidence_id} (${issue?.path.join('.')}: ${issue?.message})`;
}

export interface OutboxRow {
  readonly seq: number;
  readonly evidence_id: string;
  readonly kind: string;
  readonly deployment_id: string;
  readonly arm: Arm;
  readonly observed_at: string;
  readonly step: number | null;
  readonly count: number | null;
  readonly weight: number | null;
  readonly session_hash: string | null;
  readonly detail: string | null;
  readonly attempted: number;
  readonly refused: string | null;
}

function evidenceOf(row: OutboxRow): Evidence {
  return evidenceSchema.parse(columnsOf(row));
}

function columnsOf(row: OutboxRow): Record<string, unknown> {
  const { seq: _seq, attempted: _attempted, refused: _refused, ...columns } = row;
  return Object.fromEntries(Object.entries(columns).filter(([, v]) => v !== null));
}
