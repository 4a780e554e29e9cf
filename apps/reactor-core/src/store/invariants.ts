// What the invariants are checked on, read from the tables in one transaction.
import {
  type DeploymentState,
  LAST_TRAINING_EVENTS,
  MODEL_MANIFEST_FILE,
  modelManifestSchema,
} from '@jarvis/contracts';
import type { DeploymentFacts, ReactorFacts } from '@jarvis/policy';
import { join, sql, type Transaction } from '@jarvis/store';
import { type DeploymentRow, historyOf, planOf } from './deployments.ts';
import { listLiveRuns } from './runs.ts';
import { listNewestVersions, listPromoted, type VersionRow } from './versions.ts';

/** The newest of each that are looked through. */
const JOBS_CHECKED_MAX = 10_000;
const VERSIONS_CHECKED_MAX = 2_000;
const DEPLOYMENTS_CHECKED_MAX = 2_000;

type Big = number | string | null;

/** A file of a version as the registry promises it. */
export interface VersionFile {
  readonly whose: string;
  readonly bytes: number;
  readonly sha256: string;
  /** Of a champion, or of what a rollback may go to. */
  readonly matters: boolean;
}

export type StoredFacts = Omit<ReactorFacts, 'slotsAllowed' | 'files' | 'notes'> & {
  readonly versionFiles: readonly VersionFile[];
};

export async function readStoredFacts(tx: Transaction): Promise<StoredFacts> {
  const runs = await listLiveRuns(tx);
  const promoted = promotedThatStay(await listPromoted(tx));
  const matter = namesThatMatter(promoted);
  const versions = await listNewestVersions(tx, VERSIONS_CHECKED_MAX);
  return {
    liveRuns: runs.map((run) => ({ jobId: run.job_id, slot: run.slot, token: run.token })),
    highestTokens: await readTokens(tx),
    jobs: await readJobs(tx),
    versionFiles: versions.flatMap((row) => filesOf(row, matter.has(`${row.model_type} ${row.version}`))),
    promoted,
    deployments: await readDeployments(tx),
  };
}

/** Without what was retired since, which only what is served may never be: a champion without its files counts as unknown. */
function promotedThatStay(all: Awaited<ReturnType<typeof listPromoted>>): ReactorFacts['promoted'] {
  const champions = new Set([...Map.groupBy(all, ({ kind }) => kind).values()].map(([first]) => first));
  return all
    .filter((one) => champions.has(one) || !one.isRetired)
    .map(({ kind, version, isKnown, isRetired }) => ({ kind, version, isKnown: isKnown && !isRetired }));
}

/** Of each kind the champion, and what a rollback goes to. */
function namesThatMatter(promoted: ReactorFacts['promoted']): Set<string> {
  const latest = [...Map.groupBy(promoted, ({ kind }) => kind).values()].map((all) => all.slice(0, 2));
  return new Set(latest.flat().map(({ kind, version }) => `${kind} ${version}`));
}

async function readTokens(tx: Transaction): Promise<ReactorFacts['highestTokens']> {
  const rows = await tx.all<{ slot: number; token: Big }>(sql`SELECT slot, token FROM slots`);
  return new Map(rows.map(({ slot, token }) => [slot, Number(token)]));
}

async function readJobs(tx: Transaction): Promise<ReactorFacts['jobs']> {
  const last = sql`e.type IN (${join([...LAST_TRAINING_EVENTS])})`;
  const rows = await tx.all<
    Record<'events' | 'last_seq' | 'ends' | 'end_seq', Big> &
      Record<'outcome' | 'model_version', string | null> & { job_id: string }
  >(sql`
    SELECT j.job_id, j.outcome, j.model_version, COUNT(e.seq) AS events, MAX(e.seq) AS last_seq,
      SUM(CASE WHEN ${last} THEN 1 ELSE 0 END) AS ends, MAX(CASE WHEN ${last} THEN e.seq ELSE 0 END) AS end_seq
    FROM (SELECT job_id, outcome, model_version FROM jobs ORDER BY created_at DESC LIMIT ${JOBS_CHECKED_MAX}) AS j
    LEFT JOIN events e ON e.stream = 'run/' || j.job_id GROUP BY j.job_id, j.outcome, j.model_version`);
  const minted = await tx.all<{ job_id: string; version: string }>(sql`
    SELECT v.job_id, v.version FROM versions v
    JOIN (SELECT job_id FROM jobs ORDER BY created_at DESC LIMIT ${JOBS_CHECKED_MAX}) AS j ON j.job_id = v.job_id`);
  const versions = Map.groupBy(minted, (row) => row.job_id);
  return rows.map((row) => ({
    jobId: row.job_id,
    outcome: row.outcome,
    modelVersion: row.model_version,
    versions: (versions.get(row.job_id) ?? []).map(({ version }) => version),
    events: Number(row.events),
    lastSeq: Number(row.last_seq),
    ends: Number(row.ends),
    endSeq: Number(row.end_seq),
  }));
}

/** The manifest as it is stored stands for `model.json`; a text that is none has no files, and its blob tells on it. */
function filesOf(row: VersionRow, matters: boolean): VersionFile[] {
  const name = `${row.model_type} ${row.version}`;
  const bytes = Buffer.byteLength(row.manifest);
  const manifest = { whose: `${MODEL_MANIFEST_FILE} of ${name}`, bytes, sha256: row.digest, matters };
  const parsed = modelManifestSchema.safeParse(parseJson(row.manifest));
  const files = parsed.success ? Object.entries(parsed.data.files) : [];
  return [manifest, ...files.map(([file, want]) => ({ ...want, whose: `${file} of ${name}`, matters }))];
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

async function readDeployments(tx: Transaction): Promise<DeploymentFacts[]> {
  const rows = await tx.all<
    Pick<DeploymentRow, 'deployment_id' | 'model_type' | 'model_version' | 'plan' | 'step_index'> &
      Pick<DeploymentRow, 'history' | 'ended_at'> & { state: DeploymentState; promotions: Big }
  >(sql`
    SELECT d.deployment_id, d.model_type, d.model_version, d.state, d.plan, d.step_index, d.history, d.ended_at,
      (SELECT COUNT(*) FROM promotions p WHERE p.model_type = d.model_type AND p.version = d.model_version) AS promotions
    FROM deployments d ORDER BY d.created_at DESC LIMIT ${DEPLOYMENTS_CHECKED_MAX}`);
  return rows.map((row) => ({
    deploymentId: row.deployment_id,
    kind: row.model_type,
    version: row.model_version,
    state: row.state,
    plannedPercents: planOf(row).steps,
    stepIndex: row.step_index,
    history: historyOf(row).map(({ percent, endedMs }) => ({ percent, isOpen: endedMs === null })),
    hasEnded: row.ended_at !== null,
    wasPromoted: Number(row.promotions) > 0,
  }));
}
