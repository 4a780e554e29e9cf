// The tables of Reactor Core. A migration that was released is never edited.
import { eventLogMigration, type Migration } from '@jarvis/store';

export const MIGRATIONS: readonly Migration[] = [
  eventLogMigration(1),
  {
    id: 2,
    name: 'jobs, runs and slots',
    sql: `
      CREATE TABLE jobs (
        job_id TEXT PRIMARY KEY, model_type TEXT NOT NULL, body_sha256 TEXT NOT NULL, owner TEXT NOT NULL,
        epochs INTEGER NOT NULL, config TEXT NOT NULL, checkpoint_enabled INTEGER NOT NULL, checkpoint_interval INTEGER NOT NULL,
        auto_deploy INTEGER NOT NULL, parent_version TEXT, seed BIGINT NOT NULL,
        dataset_sha256 TEXT NOT NULL, dataset_rows INTEGER NOT NULL, estimated_seconds DOUBLE PRECISION NOT NULL,
        outcome TEXT, model_version TEXT, error TEXT, resume_at_ms BIGINT,
        created_at TEXT NOT NULL, ended_at TEXT
      );
      CREATE TABLE runs (
        job_id TEXT NOT NULL REFERENCES jobs (job_id), attempt INTEGER NOT NULL, state TEXT NOT NULL,
        token BIGINT NOT NULL, trainer_token BIGINT NOT NULL, slot INTEGER NOT NULL, lease_id TEXT, need TEXT,
        last_attempt INTEGER NOT NULL, borrowed INTEGER NOT NULL,
        pid INTEGER, started_ticks BIGINT,
        events_offset BIGINT NOT NULL DEFAULT 0, bad_lines INTEGER NOT NULL DEFAULT 0,
        epoch INTEGER NOT NULL DEFAULT 0, loss DOUBLE PRECISION, accuracy DOUBLE PRECISION, metrics TEXT NOT NULL DEFAULT '{}',
        resumed_from_epoch INTEGER NOT NULL DEFAULT 0, checkpoint_epoch INTEGER NOT NULL DEFAULT 0,
        stop_asked TEXT, last_word TEXT, error TEXT,
        created_at TEXT NOT NULL, started_at TEXT, ended_at TEXT,
        PRIMARY KEY (job_id, attempt)
      );
      CREATE UNIQUE INDEX one_live_run_of_a_job ON runs (job_id) WHERE state IN ('accepted', 'running');
      CREATE UNIQUE INDEX one_live_run_of_a_slot ON runs (slot) WHERE state IN ('accepted', 'running');
      CREATE TABLE slots (slot INTEGER PRIMARY KEY, token BIGINT NOT NULL);`,
  },
  {
    id: 3,
    name: 'versions, deployments and their evidence',
    sql: `
      CREATE TABLE versions (
        model_type TEXT NOT NULL, version TEXT NOT NULL, major INTEGER NOT NULL, minor INTEGER NOT NULL, patch INTEGER NOT NULL,
        digest TEXT NOT NULL, manifest TEXT NOT NULL, job_id TEXT, parent_version TEXT, created_at TEXT NOT NULL,
        PRIMARY KEY (model_type, version)
      );
      CREATE UNIQUE INDEX one_version_of_a_job ON versions (job_id);
      CREATE TABLE promotions (
        id INTEGER PRIMARY KEY, model_type TEXT NOT NULL, version TEXT NOT NULL, promoted_at TEXT NOT NULL, reverted_at TEXT,
        FOREIGN KEY (model_type, version) REFERENCES versions (model_type, version)
      );
      CREATE TABLE deployments (
        deployment_id TEXT PRIMARY KEY, model_type TEXT NOT NULL, model_version TEXT NOT NULL, stable_version TEXT,
        strategy TEXT NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL, plan TEXT NOT NULL, salt TEXT NOT NULL,
        step_index INTEGER NOT NULL, step_started_ms BIGINT NOT NULL, step_paused_ms BIGINT,
        history TEXT NOT NULL, judge TEXT NOT NULL, gate TEXT,
        created_at TEXT NOT NULL, ended_at TEXT,
        FOREIGN KEY (model_type, model_version) REFERENCES versions (model_type, version)
      );
      CREATE UNIQUE INDEX one_rollout_of_a_kind ON deployments (model_type) WHERE state IN ('rolling', 'holding', 'paused');
      CREATE TABLE evidence (evidence_id TEXT PRIMARY KEY, deployment_id TEXT NOT NULL);
      CREATE INDEX evidence_of_a_deployment ON evidence (deployment_id);
      CREATE TABLE error_sessions (
        deployment_id TEXT NOT NULL, session_hash TEXT NOT NULL, PRIMARY KEY (deployment_id, session_hash)
      );`,
  },
  {
    id: 4,
    name: 'tries of the offline gate',
    sql: `
      ALTER TABLE deployments ADD COLUMN gate_failures INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE deployments ADD COLUMN gate_retry_at_ms BIGINT NOT NULL DEFAULT 0;`,
  },
  {
    id: 5,
    name: 'trainers that hang or flood',
    sql: `
      ALTER TABLE runs ADD COLUMN stop_why TEXT;
      ALTER TABLE runs ADD COLUMN told INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE runs ADD COLUMN longest_pause_ms BIGINT NOT NULL DEFAULT 0;`,
  },
  {
    id: 6,
    name: 'memory of runs, measured and limited',
    sql: `
      ALTER TABLE runs ADD COLUMN cause TEXT;
      ALTER TABLE runs ADD COLUMN limit_way TEXT;
      ALTER TABLE runs ADD COLUMN limit_bytes BIGINT;
      ALTER TABLE runs ADD COLUMN memory_group TEXT;
      ALTER TABLE runs ADD COLUMN peak_ram_bytes BIGINT;
      CREATE INDEX runs_with_a_memory_group ON runs (job_id, attempt) WHERE memory_group IS NOT NULL;`,
  },
  {
    id: 7,
    name: 'aliases, retired versions and the blobs that nothing may name any more',
    sql: `
      ALTER TABLE versions ADD COLUMN retired_at TEXT;
      CREATE INDEX versions_of_a_digest ON versions (model_type, digest);
      CREATE INDEX deployments_of_a_version ON deployments (model_type, model_version);
      CREATE TABLE aliases (
        model_type TEXT NOT NULL, alias TEXT NOT NULL, version TEXT NOT NULL, set_at TEXT NOT NULL,
        PRIMARY KEY (model_type, alias),
        FOREIGN KEY (model_type, version) REFERENCES versions (model_type, version)
      );
      CREATE TABLE loose_blobs (sha256 TEXT PRIMARY KEY);`,
  },
  {
    id: 8,
    name: 'pairs of answers, and the evidence of a rollout over time',
    sql: `
      CREATE TABLE answer_pairs (
        deployment_id TEXT NOT NULL, pair_id TEXT NOT NULL, answers TEXT, judgement TEXT,
        PRIMARY KEY (deployment_id, pair_id)
      );
      CREATE TABLE rollout_samples (
        deployment_id TEXT NOT NULL, seq BIGINT NOT NULL, at_ms BIGINT NOT NULL, body TEXT NOT NULL,
        PRIMARY KEY (deployment_id, seq)
      );
      CREATE INDEX deployments_by_end ON deployments (model_type, ended_at);`,
  },
];
