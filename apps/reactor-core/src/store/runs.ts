// Runs, one for each (job, attempt): every transition is one guarded statement made from RUN_LIFECYCLE.
import { RUN_LIFECYCLE, type RunEndCause, type RunLimit, type RunState, sourcesOf } from '@jarvis/contracts';
import { join, type Reader, sql, type Transaction } from '@jarvis/store';

/** Somebody's wish, or what its trainer did: it gave no sign of life, wrote without end, or came near its memory limit. */
export type StopReason = 'cancel' | 'preempt' | 'silent' | 'flooding' | 'memory_pressure';

/** What a trainer said last: how its run ends, once its exit is confirmed. */
export type LastWord =
  | { readonly type: 'completed'; readonly metrics: Record<string, number> }
  | { readonly type: 'preempted'; readonly epoch: number }
  | { readonly type: 'failed'; readonly code: string; readonly message: string; readonly retryable: boolean };

export interface RunRow {
  readonly job_id: string;
  readonly attempt: number;
  readonly state: RunState;
  readonly token: number;
  /** What the trainer is given: the token, but never below that of an earlier attempt that had another slot. */
  readonly trainer_token: number;
  readonly slot: number;
  readonly lease_id: string | null;
  readonly need: string | null;
  readonly last_attempt: number;
  /** 1 while slot and lease are ours to give back. */
  readonly borrowed: number;
  readonly pid: number | null;
  readonly started_ticks: number | null;
  readonly events_offset: number;
  readonly bad_lines: number;
  /** How much of its progress is in the stream. */
  readonly told: number;
  /** The longest that its trainer was silent before it spoke again. */
  readonly longest_pause_ms: number;
  readonly epoch: number;
  readonly loss: number | null;
  readonly accuracy: number | null;
  readonly metrics: string;
  readonly resumed_from_epoch: number;
  readonly checkpoint_epoch: number;
  readonly stop_asked: StopReason | null;
  /** What a trainer is stopped for, in words. */
  readonly stop_why: string | null;
  readonly last_word: string | null;
  readonly error: string | null;
  /** Of `preempted` and `lost`. */
  readonly cause: RunEndCause | null;
  readonly limit_way: RunLimit['way'] | null;
  readonly limit_bytes: number | null;
  /** The cgroup's folder, until it is removed. */
  readonly memory_group: string | null;
  /** The most memory that was seen of its trainer. */
  readonly peak_ram_bytes: number | null;
  readonly created_at: string;
  readonly started_at: string | null;
  readonly ended_at: string | null;
}

export type RunKey = Pick<RunRow, 'job_id' | 'attempt'>;
export type NewRun = Pick<
  RunRow,
  | 'job_id'
  | 'attempt'
  | 'token'
  | 'trainer_token'
  | 'slot'
  | 'lease_id'
  | 'need'
  | 'last_attempt'
  | 'borrowed'
  | 'created_at'
>;

export function findRun(db: Reader, key: RunKey): Promise<RunRow | undefined> {
  return db.get<RunRow>(sql`SELECT * FROM runs WHERE job_id = ${key.job_id} AND attempt = ${key.attempt}`);
}

export function findLastRun(db: Reader, jobId: string): Promise<RunRow | undefined> {
  return db.get<RunRow>(sql`SELECT * FROM runs WHERE job_id = ${jobId} ORDER BY attempt DESC LIMIT 1`);
}

/** The attempt that was accepted with this token; a token is one slot's. */
export function findRunOfToken(
  db: Reader,
  jobId: string,
  of: { readonly slot: number; readonly token: number },
): Promise<RunRow | undefined> {
  return db.get<RunRow>(
    sql`SELECT * FROM runs WHERE job_id = ${jobId} AND slot = ${of.slot} AND token = ${of.token}`,
  );
}

export async function countAttempts(db: Reader, jobId: string): Promise<number> {
  const row = await db.get<{ count: number | string }>(
    sql`SELECT count(*) AS count FROM runs WHERE job_id = ${jobId}`,
  );
  return Number(row?.count ?? 0);
}

export function listLiveRuns(db: Reader): Promise<RunRow[]> {
  return db.all<RunRow>(
    sql`SELECT * FROM runs WHERE state IN ('accepted', 'running') ORDER BY created_at, job_id`,
  );
}

/** With the fields of the job that a client sees beside them; newest first. */
export function listRuns(
  db: Reader,
  which: { readonly liveOnly: boolean; readonly limit: number },
): Promise<(RunRow & { model_type: string; epochs: number })[]> {
  const { liveOnly, limit } = which;
  return db.all(sql`
    SELECT runs.*, jobs.model_type, jobs.epochs FROM runs JOIN jobs ON jobs.job_id = runs.job_id
    WHERE runs.state IN ('accepted', 'running') OR ${liveOnly ? 1 : 0} = 0
    ORDER BY runs.state IN ('accepted', 'running') DESC, runs.created_at DESC LIMIT ${limit}`);
}

export async function insertRun(tx: Transaction, run: NewRun): Promise<void> {
  await tx.run(sql`
    INSERT INTO runs (job_id, attempt, state, token, trainer_token, slot, lease_id, need, last_attempt, borrowed, created_at)
    VALUES (${run.job_id}, ${run.attempt}, 'accepted', ${run.token}, ${run.trainer_token}, ${run.slot}, ${run.lease_id},
      ${run.need}, ${run.last_attempt}, ${run.borrowed}, ${run.created_at})`);
}

/** The highest token of a slot that was taken or refused; 0 before the first. */
export async function highestToken(db: Reader, slot: number): Promise<number> {
  const row = await db.get<{ token: number | string }>(sql`SELECT token FROM slots WHERE slot = ${slot}`);
  return Number(row?.token ?? 0);
}

/** No token as high or lower counts from now on. False when one as high or higher was seen for this slot. */
export async function takeToken(tx: Transaction, slot: number, token: number): Promise<boolean> {
  const changes = await tx.run(sql`
    INSERT INTO slots (slot, token) VALUES (${slot}, ${token})
    ON CONFLICT (slot) DO UPDATE SET token = ${token} WHERE slots.token < ${token}`);
  return changes === 1;
}

export async function setProcess(
  tx: Transaction,
  key: RunKey,
  process: { pid: number; startedTicks: number },
): Promise<void> {
  await tx.run(sql`
    UPDATE runs SET pid = ${process.pid}, started_ticks = ${process.startedTicks}
    WHERE job_id = ${key.job_id} AND attempt = ${key.attempt}`);
}

/** False when the lifecycle does not allow it from where the run is now. */
export async function moveRun(tx: Transaction, key: RunKey, to: RunState): Promise<boolean> {
  const changes = await tx.run(sql`
    UPDATE runs SET state = ${to}
    WHERE job_id = ${key.job_id} AND attempt = ${key.attempt} AND state IN (${join(sourcesOf(RUN_LIFECYCLE, to))})`);
  return changes === 1;
}

/** False when the run had ended before. `accepted` passes through `running` for an end that only that may have. */
export async function endRun(
  tx: Transaction,
  key: RunKey,
  end: { state: RunState; error: string | null; cause?: RunEndCause | null; at: string },
): Promise<boolean> {
  if (end.state === 'completed' || end.state === 'preempted') await moveRun(tx, key, 'running');
  if (!(await moveRun(tx, key, end.state))) return false;
  await tx.run(sql`
    UPDATE runs SET ended_at = ${end.at}, error = ${end.error}, cause = ${end.cause ?? null}
    WHERE job_id = ${key.job_id} AND attempt = ${key.attempt}`);
  return true;
}

const OUTLIVING: Readonly<Record<StopReason, readonly StopReason[]>> = {
  cancel: ['cancel'],
  silent: ['cancel'],
  flooding: ['cancel'],
  preempt: ['cancel', 'silent', 'flooding', 'memory_pressure'],
  memory_pressure: ['cancel', 'silent', 'flooding', 'preempt'],
};

/**
 * Notes that the run has to stop. A wish to cancel outlives everything; what a trainer did (`words` says it) outlives a
 * wish to preempt, which would spend no retry. Memory stops only whom nothing else stops. False when the run has ended.
 */
export async function askStop(
  tx: Transaction,
  key: RunKey,
  why: StopReason,
  words: string | null = null,
): Promise<boolean> {
  const outliving = join(OUTLIVING[why]);
  const changes = await tx.run(sql`
    UPDATE runs SET stop_asked = CASE WHEN stop_asked IN (${outliving}) THEN stop_asked ELSE ${why} END,
      stop_why = CASE WHEN stop_asked IN (${outliving}) THEN stop_why ELSE ${words} END
    WHERE job_id = ${key.job_id} AND attempt = ${key.attempt} AND state IN ('accepted', 'running')`);
  return changes === 1;
}

/** Moves the place up to which events were read; false when somebody else has moved it: then nothing may be applied. */
export async function moveOffset(
  tx: Transaction,
  key: RunKey,
  offset: { from: number; to: number; badLines: number; longestPauseMs: number },
): Promise<boolean> {
  const changes = await tx.run(sql`
    UPDATE runs SET events_offset = ${offset.to}, bad_lines = bad_lines + ${offset.badLines},
      longest_pause_ms = ${Math.round(offset.longestPauseMs)}
    WHERE job_id = ${key.job_id} AND attempt = ${key.attempt} AND events_offset = ${offset.from}
      AND state IN ('accepted', 'running')`);
  return changes === 1;
}

export async function setStarted(
  tx: Transaction,
  key: RunKey,
  start: { resumedFromEpoch: number; at: string },
): Promise<void> {
  await tx.run(sql`
    UPDATE runs SET started_at = ${start.at}, resumed_from_epoch = ${start.resumedFromEpoch},
      checkpoint_epoch = ${start.resumedFromEpoch}, epoch = ${start.resumedFromEpoch}
    WHERE job_id = ${key.job_id} AND attempt = ${key.attempt}`);
}

export async function setProgress(
  tx: Transaction,
  key: RunKey,
  at: { epoch: number; loss: number; accuracy: number | null; metrics: Record<string, number> },
): Promise<void> {
  await tx.run(sql`
    UPDATE runs SET epoch = ${at.epoch}, loss = ${at.loss}, accuracy = ${at.accuracy}, metrics = ${JSON.stringify(at.metrics)}
    WHERE job_id = ${key.job_id} AND attempt = ${key.attempt}`);
}

export async function setCheckpoint(tx: Transaction, key: RunKey, epoch: number): Promise<void> {
  await tx.run(
    sql`UPDATE runs SET checkpoint_epoch = ${epoch} WHERE job_id = ${key.job_id} AND attempt = ${key.attempt}`,
  );
}

/** How much of its progress is in the stream now. */
export async function setTold(tx: Transaction, key: RunKey, told: number): Promise<void> {
  await tx.run(sql`UPDATE runs SET told = ${told} WHERE job_id = ${key.job_id} AND attempt = ${key.attempt}`);
}

export async function setLastWord(tx: Transaction, key: RunKey, word: LastWord): Promise<void> {
  await tx.run(sql`
    UPDATE runs SET last_word = ${JSON.stringify(word)} WHERE job_id = ${key.job_id} AND attempt = ${key.attempt}`);
}

/** Attempts of a job that ended without a result and without anybody's wish. */
export async function countLost(db: Reader, jobId: string): Promise<number> {
  const row = await db.get<{ n: number | string }>(
    sql`SELECT count(*) AS n FROM runs WHERE job_id = ${jobId} AND (state = 'lost' OR cause = 'memory_pressure')`,
  );
  return Number(row?.n ?? 0);
}

/** Ended runs whose slot and lease we still have. */
export function listUnreturned(db: Reader): Promise<RunRow[]> {
  return db.all<RunRow>(sql`SELECT * FROM runs WHERE borrowed = 1 AND state NOT IN ('accepted', 'running')`);
}

export async function setReturned(tx: Transaction, key: RunKey): Promise<void> {
  await tx.run(sql`UPDATE runs SET borrowed = 0 WHERE job_id = ${key.job_id} AND attempt = ${key.attempt}`);
}

export interface PastRun {
  readonly started_at: string;
  readonly ended_at: string;
  readonly epochs: number;
  readonly rows: number;
}

/** The last completed run of a kind, for an estimate of how long the next one takes. */
export function findPastRun(db: Reader, modelType: string): Promise<PastRun | undefined> {
  return db.get<PastRun>(sql`
    SELECT runs.started_at, runs.ended_at, jobs.epochs - runs.resumed_from_epoch AS epochs, jobs.dataset_rows AS rows
    FROM runs JOIN jobs ON jobs.job_id = runs.job_id
    WHERE jobs.model_type = ${modelType} AND runs.state = 'completed' AND runs.started_at IS NOT NULL
      AND jobs.epochs > runs.resumed_from_epoch
    ORDER BY runs.ended_at DESC LIMIT 1`);
}
