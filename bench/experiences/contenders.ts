// What is measured: requests, each of them durable when it is answered. Ours over HTTP to JARVIS Core as a process of its
// own; beside it the same rows put into the bare engine, one commit a request.
import { createHash } from 'node:crypto';
import type { Experience } from '@jarvis/contracts';
import { Pool } from 'undici';
import type { BareEngine, Engine } from '../shared/bare-engine.ts';
import type { RunningService } from '../shared/service.ts';

export interface Contender {
  readonly engine: Engine;
  readonly who: 'ours' | 'bare';
  /** Stores so many experiences in one request. */
  store(count: number): Promise<void>;
  close(): Promise<void>;
}

const INTENTS = 26;

function experience(n: number): Experience {
  return {
    type: 'command',
    input: { text: `turn the light number ${n} in the kitchen on, please` },
    expected_output: { intent: `intent_${n % INTENTS}` },
    actual_output: { intent: 'oos' },
    success: false,
    confidence: 0.5,
  };
}

/** Experiences that are all different: each its own input. */
class Supply {
  #made = 0;

  next(count: number): Experience[] {
    return Array.from({ length: count }, () => experience((this.#made += 1)));
  }
}

export function ours(engine: Engine, core: RunningService, callersMax: number): Contender {
  const supply = new Supply();
  const pool = new Pool(core.url, { connections: callersMax });
  return {
    engine,
    who: 'ours',
    store: async (count) => {
      const { statusCode, body } = await pool.request({
        method: 'POST',
        path: '/api/experiences',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ experiences: supply.next(count) }),
      });
      const text = await body.text();
      if (statusCode !== 200) throw new Error(`${statusCode}: ${text}`);
    },
    close: async () => {
      await pool.close();
      await core.stop();
    },
  };
}

export const BARE_TABLES = `
  CREATE TABLE experiences (
    seq BIGINT PRIMARY KEY, batch_id TEXT NOT NULL, model_type TEXT NOT NULL, source TEXT NOT NULL,
    input_key TEXT NOT NULL, label_key TEXT NOT NULL, trainable INTEGER NOT NULL, body TEXT NOT NULL, stored_at BIGINT NOT NULL
  );
  CREATE INDEX experiences_to_train ON experiences (model_type, trainable, seq);
  CREATE INDEX experiences_by_input ON experiences (model_type, trainable, input_key, seq);`;

const INSERT = `INSERT INTO experiences (seq, batch_id, model_type, source, input_key, label_key, trainable, body, stored_at)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`;

/** The same columns and indexes; one after another, as one connection takes them, however many callers there are. */
export function bare(engine: BareEngine): Contender {
  const supply = new Supply();
  let seq = 0;
  let requests = 0;
  let last: Promise<void> = Promise.resolve();
  const store = (count: number): Promise<void> => {
    const batch = `batch-${(requests += 1)}`;
    return engine.transact(async (execute) => {
      for (const each of supply.next(count)) {
        const [input, label] = [keyOf(each.input), keyOf(each.expected_output)];
        const body = JSON.stringify(each);
        await execute(INSERT, (seq += 1), batch, 'nlu', 'api', input, label, 1, body, Date.now());
      }
    });
  };
  return {
    engine: engine.engine,
    who: 'bare',
    store: (count) => (last = last.then(() => store(count))),
    close: () => engine.close(),
  };
}

function keyOf(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('base64url').slice(0, 27);
}
