// The tables of JARVIS Core. A migration that was released is never edited; a change is a new one.
import { eventLogMigration, type Migration } from '@jarvis/store';

export const MIGRATIONS: readonly Migration[] = [
  eventLogMigration(1),
  {
    id: 2,
    name: 'queue, locks, leases',
    sql: `
      CREATE TABLE jobs (
        job_id TEXT PRIMARY KEY, model_type TEXT NOT NULL, priority TEXT NOT NULL, state TEXT NOT NULL,
        reason TEXT NOT NULL, source TEXT NOT NULL, epochs BIGINT NOT NULL, config TEXT NOT NULL, auto_deploy INTEGER NOT NULL,
        need_ram BIGINT NOT NULL, need_vram TEXT NOT NULL,
        submitted_at BIGINT NOT NULL, not_before BIGINT, waiting_since BIGINT, ended_at BIGINT,
        attempt BIGINT NOT NULL DEFAULT 0, slot BIGINT, token BIGINT, lease_id TEXT,
        epoch BIGINT NOT NULL DEFAULT 0, loss DOUBLE PRECISION, accuracy DOUBLE PRECISION,
        model_version TEXT, error TEXT, cancel_requested INTEGER NOT NULL DEFAULT 0, run_cursor BIGINT NOT NULL DEFAULT 0,
        dataset_sha256 TEXT, dataset_rows BIGINT, data_through BIGINT
      );
      CREATE INDEX jobs_by_state ON jobs (state, submitted_at);
      CREATE INDEX jobs_by_kind ON jobs (model_type, state);
      CREATE TABLE locks (
        name TEXT PRIMARY KEY, state TEXT NOT NULL, holder TEXT, token BIGINT NOT NULL, expires_at BIGINT
      );
      CREATE TABLE leases (
        lease_id TEXT PRIMARY KEY, holder TEXT NOT NULL, state TEXT NOT NULL, need_ram BIGINT NOT NULL, need_vram TEXT NOT NULL,
        reason TEXT NOT NULL, requested_at BIGINT NOT NULL, granted_at BIGINT, expires_at BIGINT
      );
      CREATE INDEX leases_by_state ON leases (state);
      CREATE INDEX leases_by_holder ON leases (holder);`,
  },
  {
    id: 3,
    name: 'experiences, interactions, evidence outbox',
    sql: `
      CREATE TABLE experiences (
        seq BIGINT PRIMARY KEY, batch_id TEXT NOT NULL, model_type TEXT NOT NULL, source TEXT NOT NULL,
        input_key TEXT NOT NULL, label_key TEXT NOT NULL, trainable INTEGER NOT NULL, body TEXT NOT NULL, stored_at BIGINT NOT NULL
      );
      CREATE INDEX experiences_to_train ON experiences (model_type, trainable, seq);
      CREATE INDEX experiences_by_input ON experiences (model_type, trainable, input_key, seq);
      CREATE TABLE experience_counts (
        model_type TEXT NOT NULL, source TEXT NOT NULL, total BIGINT NOT NULL, trainable BIGINT NOT NULL,
        PRIMARY KEY (model_type, source)
      );
      CREATE TABLE experience_batches (batch_id TEXT PRIMARY KEY, digest TEXT NOT NULL, stored BIGINT NOT NULL);
      CREATE TABLE counters (name TEXT PRIMARY KEY, value BIGINT NOT NULL);
      CREATE TABLE interactions (
        interaction_id TEXT PRIMARY KEY, text TEXT NOT NULL, intent TEXT NOT NULL, confidence DOUBLE PRECISION NOT NULL,
        version TEXT NOT NULL, arm TEXT NOT NULL, rollout TEXT, answered_at BIGINT NOT NULL, judgement TEXT
      );
      CREATE TABLE evidence_outbox (evidence_id TEXT PRIMARY KEY, body TEXT NOT NULL, created_at BIGINT NOT NULL);`,
  },
  {
    id: 4,
    name: 'a lock is renewed for as long as it was granted; evidence that is refused is kept apart',
    sql: `
      ALTER TABLE locks ADD COLUMN ttl_ms BIGINT;
      CREATE TABLE evidence_refused (evidence_id TEXT PRIMARY KEY, body TEXT NOT NULL, reason TEXT NOT NULL);`,
  },
  {
    id: 5,
    name: 'a request for a lock has an id, and is remembered once it has ended',
    sql: `
      ALTER TABLE locks ADD COLUMN request_id TEXT;
      CREATE TABLE lock_requests_ended (
        name TEXT NOT NULL, request_id TEXT NOT NULL, seq BIGINT NOT NULL, outcome TEXT NOT NULL, PRIMARY KEY (name, request_id)
      );
      CREATE INDEX lock_requests_ended_by_seq ON lock_requests_ended (name, seq);`,
  },
  {
    id: 6,
    name: 'jobs give way and wait at most so long; breakers of the model types',
    sql: `
      ALTER TABLE jobs ADD COLUMN max_wait BIGINT;
      ALTER TABLE jobs ADD COLUMN training_since BIGINT;
      ALTER TABLE jobs ADD COLUMN preempted_at TEXT NOT NULL DEFAULT '[]';
      CREATE TABLE breakers (
        model_type TEXT PRIMARY KEY, failures BIGINT NOT NULL, open_until BIGINT, last_error TEXT NOT NULL
      );`,
  },
  {
    id: 7,
    name: 'what memory is for, and is asked back; what trainings took; training may be paused',
    sql: `
      ALTER TABLE leases ADD COLUMN purpose TEXT NOT NULL DEFAULT 'training';
      ALTER TABLE leases ADD COLUMN reclaim TEXT;
      ALTER TABLE jobs ADD COLUMN need_given INTEGER NOT NULL DEFAULT 0;
      CREATE TABLE taken_memory (
        job_id TEXT NOT NULL, attempt BIGINT NOT NULL, model_type TEXT NOT NULL, row_count BIGINT NOT NULL,
        peak_bytes BIGINT NOT NULL, limit_bytes BIGINT NOT NULL, outcome TEXT NOT NULL, at BIGINT NOT NULL,
        PRIMARY KEY (job_id, attempt)
      );
      CREATE INDEX taken_memory_by_kind ON taken_memory (model_type, at);
      CREATE TABLE pause (id INTEGER PRIMARY KEY, reason TEXT NOT NULL, until_at BIGINT);`,
  },
  {
    id: 8,
    name: 'candidates that are rolled back in a row open the breaker too',
    sql: `
      ALTER TABLE breakers ADD COLUMN cause TEXT NOT NULL DEFAULT 'failed_jobs';
      CREATE TABLE rollbacks_counted (model_type TEXT PRIMARY KEY, ended_at TEXT NOT NULL);`,
  },
];
