// What the store of Reactor Core promises of jobs, runs and the tokens of slots, on both engines.
import assert from 'node:assert/strict';
import { RUN_STATES } from '@jarvis/contracts';
import type { Database } from '@jarvis/store';
import * as jobs from '../src/store/jobs.ts';
import * as runs from '../src/store/runs.ts';
import { AT, conform, LATER, newJob, newRun, write } from './store-conformance.ts';

const KEY = { job_id: 'job-1', attempt: 1 };

async function withRun(db: Database, change: Partial<runs.NewRun> = {}): Promise<void> {
  await write(db, async (tx) => {
    await jobs.insertJob(tx, newJob());
    await runs.insertRun(tx, newRun(change));
  });
}

async function mustFind(db: Database, key: runs.RunKey = KEY): Promise<runs.RunRow> {
  const run = await runs.findRun(db, key);
  assert.ok(run);
  return run;
}

conform('a job is read as it was written, numbers as numbers', async (db) => {
  assert.equal(await jobs.findJob(db, 'job-1'), undefined);
  await write(db, (tx) => jobs.insertJob(tx, newJob()));
  const unset = { outcome: null, model_version: null, error: null, resume_at_ms: null, ended_at: null };
  assert.deepEqual({ ...(await jobs.findJob(db, 'job-1')) }, { ...newJob(), ...unset });
});

conform('a job ends once, and nothing of it is due any more', async (db) => {
  await write(db, (tx) => jobs.insertJob(tx, newJob({ owner: 'self' })));
  await write(db, (tx) => jobs.setResumeAt(tx, 'job-1', 1_700_000_000_000.4));
  assert.deepEqual(await jobs.listResumable(db, 1_699_999_999_999), []);
  assert.equal((await jobs.listResumable(db, 1_700_000_000_000))[0]?.resume_at_ms, 1_700_000_000_000);
  const end = { outcome: 'completed', modelVersion: 'v0.1.0', error: null, at: AT } as const;
  assert.equal(await write(db, (tx) => jobs.endJob(tx, 'job-1', end)), true);
  const again = { ...end, outcome: 'failed', error: 'late', at: LATER } as const;
  assert.equal(await write(db, (tx) => jobs.endJob(tx, 'job-1', again)), false);
  await write(db, (tx) => jobs.setResumeAt(tx, 'job-1', 1));
  await write(db, (tx) => jobs.setJobOwner(tx, 'job-1', 'jarvis-core'));
  const { outcome, error, ended_at, resume_at_ms, owner } = (await jobs.findJob(db, 'job-1')) ?? {};
  assert.deepEqual([outcome, error, ended_at, resume_at_ms, owner], ['completed', null, AT, null, 'self']);
  assert.deepEqual(await jobs.listResumable(db, Number.MAX_SAFE_INTEGER), []);
});

conform('who takes slot and lease for a job may change; what is due then is no longer', async (db) => {
  await write(db, async (tx) => {
    await jobs.insertJob(tx, newJob({ owner: 'self' }));
    await jobs.setResumeAt(tx, 'job-1', 1);
    await jobs.setJobOwner(tx, 'job-1', 'jarvis-core');
    await jobs.setJobOwner(tx, 'job-1', 'self');
  });
  assert.deepEqual(await jobs.listResumable(db, 2), []);
});

conform('a token of a slot counts once and only grows; each slot has its own', async (db) => {
  assert.equal(await runs.highestToken(db, 0), 0);
  const take = (slot: number, token: number) => write(db, (tx) => runs.takeToken(tx, slot, token));
  assert.deepEqual(
    [await take(0, 5), await take(0, 5), await take(0, 4), await take(0, 6)],
    [true, false, false, true],
  );
  assert.equal(await take(1, 1), true);
  assert.deepEqual([await runs.highestToken(db, 0), await runs.highestToken(db, 1)], [6, 1]);
  const most = Number.MAX_SAFE_INTEGER;
  assert.equal(await take(1, most), true);
  assert.equal(await runs.highestToken(db, 1), most);
});

conform('a token of a transaction that failed was not taken', async (db) => {
  const failing = write(db, async (tx) => {
    await runs.takeToken(tx, 0, 5);
    throw new Error('no');
  });
  await assert.rejects(failing, /no/);
  assert.equal(await runs.highestToken(db, 0), 0);
});

conform('a slot and a job have at most one live run each', async (db) => {
  await withRun(db);
  await write(db, (tx) => jobs.insertJob(tx, newJob({ job_id: 'job-2' })));
  const second = (change: Partial<runs.NewRun>) => write(db, (tx) => runs.insertRun(tx, newRun(change)));
  await assert.rejects(second({ job_id: 'job-2' }), 'the slot');
  await assert.rejects(second({ attempt: 2, slot: 1 }), 'the job');
  await write(db, (tx) => runs.endRun(tx, KEY, { state: 'lost', error: 'x', at: AT }));
  await second({ attempt: 2 });
  assert.deepEqual(
    (await runs.listLiveRuns(db)).map((r) => r.attempt),
    [2],
  );
  assert.equal((await runs.findLastRun(db, 'job-1'))?.attempt, 2);
});

conform("a run is found by the token it was accepted with, which is one slot's", async (db) => {
  await withRun(db, { slot: 1, token: 5 });
  assert.equal((await runs.findRunOfToken(db, 'job-1', { slot: 1, token: 5 }))?.attempt, 1);
  assert.equal(await runs.findRunOfToken(db, 'job-1', { slot: 0, token: 5 }), undefined);
  assert.equal(await runs.findRunOfToken(db, 'job-1', { slot: 1, token: 6 }), undefined);
  assert.equal(await runs.findRunOfToken(db, 'job-2', { slot: 1, token: 5 }), undefined);
});

conform('a run ends once, from wherever it is', async (db) => {
  const ends = RUN_STATES.filter((state) => state !== 'accepted' && state !== 'running');
  for (const [i, state] of ends.entries()) {
    const key = { job_id: `job-${i}`, attempt: 1 };
    await write(db, (tx) => jobs.insertJob(tx, newJob({ job_id: key.job_id })));
    await write(db, (tx) => runs.insertRun(tx, newRun({ ...key, slot: i })));
    assert.equal(await write(db, (tx) => runs.endRun(tx, key, { state, error: null, at: AT })), true, state);
    for (const later of ends)
      assert.equal(
        await write(db, (tx) => runs.endRun(tx, key, { state: later, error: 'no', at: LATER })),
        false,
      );
    const run = await mustFind(db, key);
    assert.deepEqual([run.state, run.error, run.ended_at], [state, null, AT]);
    assert.equal(await write(db, (tx) => runs.moveRun(tx, key, 'running')), false);
  }
  assert.deepEqual(await runs.listLiveRuns(db), []);
});

conform('a wish to cancel outlives all; what a trainer did outlives a wish to preempt', async (db) => {
  await withRun(db);
  const ask = (why: runs.StopReason, words?: string) => write(db, (tx) => runs.askStop(tx, KEY, why, words));
  const asked = async () => {
    const { stop_asked, stop_why } = await mustFind(db);
    return [stop_asked, stop_why];
  };
  assert.equal(await ask('preempt'), true);
  assert.deepEqual(await asked(), ['preempt', null]);
  await ask('silent', 'it was silent');
  await ask('preempt');
  assert.deepEqual(await asked(), ['silent', 'it was silent']);
  await ask('flooding', 'it flooded');
  assert.deepEqual(await asked(), ['flooding', 'it flooded']);
  await ask('cancel');
  await ask('silent', 'again');
  assert.deepEqual(await asked(), ['cancel', null]);
  await write(db, (tx) => runs.endRun(tx, KEY, { state: 'cancelled', error: null, at: AT }));
  assert.equal(await ask('cancel'), false);
});

conform('events are read on from where they were read to, by one reader', async (db) => {
  await withRun(db);
  const move = (from: number, to: number, badLines = 0) =>
    write(db, (tx) => runs.moveOffset(tx, KEY, { from, to, badLines, longestPauseMs: 1234.5 }));
  assert.equal(await move(0, 100, 2), true);
  assert.equal(await move(0, 100, 2), false, 'read before');
  assert.equal(await move(100, 2 ** 40, 3), true);
  const { events_offset, bad_lines, longest_pause_ms } = await mustFind(db);
  assert.deepEqual([events_offset, bad_lines, longest_pause_ms], [2 ** 40, 5, 1235]);
  await write(db, (tx) => runs.endRun(tx, KEY, { state: 'lost', error: null, at: AT }));
  assert.equal(await move(2 ** 40, 2 ** 40 + 1), false, 'ended');
});

conform('what a trainer says is where its run is', async (db) => {
  await withRun(db, { need: '{"ram_bytes":1}' });
  const word = { type: 'failed', code: 'a', message: 'ä "b"', retryable: true } as const;
  await write(db, async (tx) => {
    await runs.setProcess(tx, KEY, { pid: 4_194_303, startedTicks: 2 ** 40 });
    await runs.setStarted(tx, KEY, { resumedFromEpoch: 3, at: AT });
    await runs.setProgress(tx, KEY, { epoch: 4, loss: 0.25, accuracy: null, metrics: { f1: 0.5 } });
    await runs.setCheckpoint(tx, KEY, 4);
    await runs.setTold(tx, KEY, 9);
    await runs.setLastWord(tx, KEY, word);
  });
  const run = await mustFind(db);
  assert.deepEqual([run.pid, run.started_ticks, run.started_at], [4_194_303, 2 ** 40, AT]);
  assert.deepEqual([run.epoch, run.loss, run.accuracy, run.metrics], [4, 0.25, null, '{"f1":0.5}']);
  assert.deepEqual([run.resumed_from_epoch, run.checkpoint_epoch, run.told], [3, 4, 9]);
  assert.deepEqual(JSON.parse(run.last_word ?? ''), word);
});

conform('runs are listed live ones first, then the newest', async (db) => {
  await withRun(db);
  await write(db, async (tx) => {
    await runs.endRun(tx, KEY, { state: 'lost', error: null, at: AT });
    await runs.insertRun(tx, newRun({ attempt: 2, created_at: LATER }));
    await runs.endRun(tx, { ...KEY, attempt: 2 }, { state: 'preempted', error: null, at: LATER });
    await runs.insertRun(tx, newRun({ attempt: 3, borrowed: 1, created_at: '2026-11-24T09:00:00.000Z' }));
  });
  const all = await runs.listRuns(db, { liveOnly: false, limit: 10 });
  assert.deepEqual(
    all.map((r) => [r.attempt, r.model_type, r.epochs]),
    [
      [3, 'nlu', 10],
      [2, 'nlu', 10],
      [1, 'nlu', 10],
    ],
  );
  assert.deepEqual(
    (await runs.listRuns(db, { liveOnly: true, limit: 10 })).map((r) => r.attempt),
    [3],
  );
  assert.equal((await runs.listRuns(db, { liveOnly: false, limit: 1 })).length, 1);
  assert.equal(await runs.countLost(db, 'job-1'), 1);
  assert.deepEqual(await runs.listUnreturned(db), [], 'it lives');
  const third = { ...KEY, attempt: 3 };
  await write(db, (tx) => runs.endRun(tx, third, { state: 'cancelled', error: null, at: LATER }));
  assert.equal((await runs.listUnreturned(db)).length, 1);
  await write(db, (tx) => runs.setReturned(tx, third));
  assert.deepEqual(await runs.listUnreturned(db), []);
});

conform('the last completed run of a kind tells how long one takes', async (db) => {
  assert.equal(await runs.findPastRun(db, 'nlu'), undefined);
  await withRun(db);
  await write(db, async (tx) => {
    await runs.setStarted(tx, KEY, { resumedFromEpoch: 4, at: AT });
    await runs.endRun(tx, KEY, { state: 'completed', error: null, at: LATER });
  });
  assert.deepEqual(
    { ...(await runs.findPastRun(db, 'nlu')) },
    { started_at: AT, ended_at: LATER, epochs: 6, rows: 7 },
  );
  assert.equal(await runs.findPastRun(db, 'voice'), undefined);
});
