// What of a trainer's events is told, on both engines, with a time of its own.
import assert from 'node:assert/strict';
import type { TrainerEventBody } from '@jarvis/contracts';
import { TOLD_AT_ONCE_MAX, TOLD_PER_SECOND } from '@jarvis/policy';
import { silentLogger } from '@jarvis/runtime';
import { createEventLog, type Database } from '@jarvis/store';
import { ManualClock } from '@jarvis/testkit';
import { RunStream, runStream } from '../src/runs/run-stream.ts';
import { TrainerEvents } from '../src/runs/trainer-events.ts';
import { insertJob } from '../src/store/jobs.ts';
import { findRun, insertRun } from '../src/store/runs.ts';
import { AT, conform, newJob, newRun, write } from './store-conformance.ts';

const KEY = { job_id: 'job-1', attempt: 1 };
const NEXT_MS = 1000 / TOLD_PER_SECOND;
const TOKEN = 5;

async function read(db: Database) {
  await write(db, async (tx) => {
    await insertJob(tx, newJob());
    await insertRun(tx, newRun({ trainer_token: TOKEN }));
  });
  const clock = new ManualClock();
  const log = createEventLog(db);
  const stream = new RunStream(log, clock);
  const options = {
    db,
    stream,
    clock,
    logger: silentLogger(),
    run: KEY,
    trainerToken: TOKEN,
    totalEpochs: 10_000,
  };
  let events = new TrainerEvents({ ...options, told: 0 });
  let from = 0;
  return {
    clock,
    apply: async (...bodies: TrainerEventBody[]) => {
      const lines = bodies.map((body) => JSON.stringify({ token: TOKEN, at: AT, ...body }));
      const to = from + lines.length;
      const lastWord = await events.apply({ lines, from, to, tooLong: 0, inLongLine: false }, 0);
      from = to;
      return lastWord;
    },
    tellOwed: () => events.tellOwed(),
    restart: async () => {
      events = new TrainerEvents({ ...options, told: (await findRun(db, KEY))?.told ?? 0 });
    },
    told: async () => {
      const all = await log.read(runStream(KEY.job_id), 0, 10_000);
      return all.map(({ type, data }) => `${type} ${(data as { epoch?: number }).epoch}`);
    },
  };
}

const progress = (epoch: number): TrainerEventBody => {
  return { type: 'progress', epoch, total_epochs: 10_000, loss: 1, accuracy: null };
};
const checkpoint = (epoch: number): TrainerEventBody => {
  return { type: 'checkpoint', epoch, path: '/x', metrics: {} };
};
const epochs = (from: number, count: number): TrainerEventBody[] =>
  Array.from({ length: count }, (_, i) => progress(from + i));

conform('progress that was held back is told once, as soon as it may be', async (db) => {
  const { clock, apply, tellOwed, told } = await read(db);
  await apply(...epochs(1, TOLD_AT_ONCE_MAX));
  assert.equal((await told()).length, TOLD_AT_ONCE_MAX);
  await apply(...epochs(500, 3));
  await tellOwed();
  assert.equal((await told()).length, TOLD_AT_ONCE_MAX, 'not yet');
  assert.equal((await findRun(db, KEY))?.epoch, 502, 'but the run is where it is');
  clock.advance(NEXT_MS);
  await tellOwed();
  await tellOwed();
  assert.deepEqual((await told()).slice(TOLD_AT_ONCE_MAX), ['status 502']);
});

conform('of a flood the latest is told, each checkpoint once, and the last word is taken', async (db) => {
  const { apply, told } = await read(db);
  const flood = [
    ...epochs(1, TOLD_AT_ONCE_MAX),
    checkpoint(200),
    ...epochs(201, 300),
    checkpoint(200),
    checkpoint(500),
  ];
  assert.equal(await apply(...flood, { type: 'completed', metrics: {} }), true);
  assert.deepEqual(await told(), ['status 500', 'checkpoint 200', 'checkpoint 500']);
  assert.match((await findRun(db, KEY))?.last_word ?? '', /completed/);
});

conform('what was told is counted over restarts', async (db) => {
  const { apply, restart } = await read(db);
  await apply(...epochs(1, 7));
  await restart();
  await apply(...epochs(8, 5));
  assert.equal((await findRun(db, KEY))?.told, 12);
});
