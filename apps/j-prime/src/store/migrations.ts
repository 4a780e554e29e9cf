// The tables of J-Prime: what it last knew of the routes, what the judge has not heard yet, what room it made.
import type { Migration } from '@jarvis/store';

export const MIGRATIONS: readonly Migration[] = [
  {
    id: 1,
    name: 'routes, outbox, room',
    sql: `
      CREATE TABLE known_routes (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), body TEXT NOT NULL);
      CREATE TABLE last_served (model_type TEXT PRIMARY KEY, version TEXT NOT NULL, digest TEXT NOT NULL);

      CREATE TABLE outbox (
        seq BIGINT PRIMARY KEY,
        evidence_id TEXT NOT NULL UNIQUE,
        kind TEXT NOT NULL, deployment_id TEXT NOT NULL, arm TEXT NOT NULL, observed_at TEXT NOT NULL,
        step BIGINT, count BIGINT, weight DOUBLE PRECISION, session_hash TEXT, detail TEXT,
        attempted INTEGER NOT NULL DEFAULT 0,
        refused TEXT
      );
      CREATE UNIQUE INDEX outbox_open_requests ON outbox (deployment_id, arm, step)
        WHERE kind = 'requests' AND attempted = 0;
      CREATE TABLE broken_reported (deployment_id TEXT PRIMARY KEY, seq BIGINT NOT NULL);

      CREATE TABLE room (
        seq BIGINT PRIMARY KEY,
        request_id TEXT NOT NULL UNIQUE, asked TEXT NOT NULL, answer TEXT NOT NULL,
        unloaded TEXT NOT NULL, restored INTEGER NOT NULL DEFAULT 0
      );`,
  },
  {
    id: 2,
    name: 'the LLM server',
    sql: `
      CREATE TABLE llm_memory (
        only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
        engine TEXT NOT NULL, bytes BIGINT NOT NULL
      );
      ALTER TABLE room ADD COLUMN llm INTEGER NOT NULL DEFAULT 0;`,
  },
  {
    id: 3,
    name: 'answers in the shadow',
    sql: `
      ALTER TABLE outbox ADD COLUMN failures BIGINT;
      ALTER TABLE outbox ADD COLUMN differed BIGINT;
      ALTER TABLE outbox ADD COLUMN pair_id TEXT;
      ALTER TABLE outbox ADD COLUMN stable_output TEXT;
      ALTER TABLE outbox ADD COLUMN candidate_output TEXT;
      DROP INDEX outbox_open_requests;
      CREATE UNIQUE INDEX outbox_open_counts ON outbox (deployment_id, arm, step, kind)
        WHERE kind IN ('requests', 'shadowed') AND attempted = 0;`,
  },
];
