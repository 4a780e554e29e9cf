// Evidence that the judge has not acknowledged. A row keeps its id however often it is sent, and goes only when it was
// acknowledged. Requests of one deployment, arm and step gather in one row until that row is first sent.
//
//   counts, events -> row (attempted 0) -> batch (attempted 1) -> acknowledged: gone
import { type Arm, type Evidence, evidenceSchema, MAX_EVIDENCE_PER_BATCH } from '@jarvis/contracts';
import { type Database, sql, type Transaction } from '@jarvis/store';

/** Deployments whose broken candidate was told of; older ones are over, and forgotten. */
const BROKEN_REPORTED_KEPT = 1000;
/** Rows that the judge will not take, kept for a person to look at. */
const REFUSED_KEPT = 1000;

/** Behind all rows that are there; those that went may have had it before. */
const NEXT_SEQ = sql`(SELECT coalesce(max(seq), 0) + 1 FROM outbox)`;

export type RequestCount = Extract<Evidence, { kind: 'requests' }>;
export type ShadowCount = Extract<Evidence, { kind: 'shadowed' }>;
/** Rows of the same rollout, arm and step gather in one. */
export type CountRow = RequestCount | ShadowCount;
/** Rows of their own. */
export type EventRow = Extract<Evidence, { kind: 'failed' | 'slow' | 'differed' }>;
export type Broken = Extract<Evidence, { kind: 'broken' }>;

/** Stores counts before events, so that the judge never hears of more failures than requests. */
export async function addEvidence(
  db: Database,
  counts: readonly CountRow[],
  events: readonly EventRow[],
): Promise<void> {
  await db.transaction('prime.evidence.add', async (tx) => {
    for (const count of counts) await addCount(tx, count);
    for (const event of events) await addEvent(tx, event);
  });
}

async function addCount(tx: Transaction, c: CountRow): Promise<void> {
  const [failures, differed] = c.kind === 'shadowed' ? [c.failures, c.differed] : [null, null];
  await tx.run(sql`
    INSERT INTO outbox (seq, evidence_id, kind, deployment_id, arm, observed_at, step, count, failures, differed)
    VALUES (${NEXT_SEQ}, ${c.evidence_id}, ${c.kind}, ${c.deployment_id}, ${c.arm}, ${c.observed_at}, ${c.step}, ${c.count}, ${failures}, ${differed})
    ON CONFLICT (deployment_id, arm, step, kind) WHERE kind IN ('requests', 'shadowed') AND attempted = 0
    DO UPDATE SET count = outbox.count + excluded.count, failures = outbox.failures + excluded.failures,
      differed = outbox.differed + excluded.differed, observed_at = excluded.observed_at`);
}

async function addEvent(tx: Transaction, e: EventRow): Promise<void> {
  const [weight, session] = e.kind === 'differed' ? [null, null] : [e.weight, e.session_hash];
  const [pair, stable, candidate] =
    e.kind === 'differed'
      ? [e.pair_id, JSON.stringify(e.stable_output), JSON.stringify(e.candidate_output)]
      : [null, null, null];
  await tx.run(sql`
    INSERT INTO outbox (seq, evidence_id, kind, deployment_id, arm, observed_at, weight, session_hash, pair_id, stable_output, candidate_output)
    VALUES (${NEXT_SEQ}, ${e.evidence_id}, ${e.kind}, ${e.deployment_id}, ${e.arm}, ${e.observed_at}, ${weight}, ${session}, ${pair}, ${stable}, ${candidate})`);
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

/** Failed requests that wait, and slow answers and pairs. */
export async function readUnheard(db: Database): Promise<{ failures: number; optional: number }> {
  const rows = await db.all<{ kind: string; n: number | string }>(
    sql`SELECT kind, count(*) AS n FROM outbox WHERE refused IS NULL GROUP BY kind`,
  );
  const of = (kind: Evidence['kind']): number => Number(rows.find((row) => row.kind === kind)?.n ?? 0);
  return { failures: of('failed'), optional: of('slow') + of('differed') };
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
  readonly failures: number | null;
  readonly differed: number | null;
  readonly pair_id: string | null;
  /** JSON. */
  readonly stable_output: string | null;
  readonly candidate_output: string | null;
  readonly attempted: number;
  readonly refused: string | null;
}

function evidenceOf(row: OutboxRow): Evidence {
  return evidenceSchema.parse(columnsOf(row));
}

function columnsOf(row: OutboxRow): Record<string, unknown> {
  const { seq: _seq, attempted: _attempted, refused: _refused, ...columns } = row;
  const parsed = {
    ...columns,
    stable_output: parseOrNull(row.stable_output),
    candidate_output: parseOrNull(row.candidate_output),
  };
  return Object.fromEntries(Object.entries(parsed).filter(([, v]) => v !== null));
}

/** A text that is no JSON stays as it is, and is told of as no output. */
function parseOrNull(text: string | null): unknown {
  if (text === null) return null;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
