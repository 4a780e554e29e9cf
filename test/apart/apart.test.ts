// Each service does its part while the others are away, and catches up when they are back: real programs, real kills.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  type ExperienceStats,
  locksSchema,
  type PredictResponse,
  type TrainingStatus,
} from '@jarvis/contracts';
import { until } from '@jarvis/testkit';
import { begin, command, experiences, jobThat, judged, store, submit } from './scene.ts';
import { makeServices, type Services } from './services.ts';

const LIMIT_MS = 280_000;

async function outboxPending(services: Services, service: 'jarvis-core' | 'j-prime'): Promise<number> {
  return (await services.health(service)).outbox?.pending ?? -1;
}

test(
  'JARVIS Core alone takes experiences, feedback and jobs; what it took reaches the others when they are back',
  { timeout: LIMIT_MS },
  async (t) => {
    const services = await makeServices(t);
    const deploymentId = await begin(services);
    const answers = [];
    for (const text of ['play music please', 'set timer please', 'lights off please'])
      answers.push(await command(services, text));
    assert.deepEqual([...new Set(answers.map(({ arm }) => arm))], ['candidate']);
    await services.kill('j-prime');
    await services.kill('reactor-core');
    await until('it to miss both', async () => {
      const peers = Object.values((await services.health('jarvis-core')).peers ?? {});
      return peers.length === 2 && peers.every((peer) => !peer.reachable);
    });

    await store(services, experiences(3, 'alone'));
    for (const { interaction_id } of answers) {
      const body = { interaction_id, correct: false, expected_output: { intent: 'lights_on' } };
      await services.call('jarvis-core', 'POST /api/feedback', body);
      await services.call('jarvis-core', 'POST /api/feedback', body);
    }
    const job = await submit(services);
    const waiting = await jobThat(services, job, 'a reason', ({ reason }) =>
      /Reactor Core is away/.test(reason),
    );
    assert.equal(waiting.state, 'queued');
    assert.equal(await services.statusOf('jarvis-core', 'POST /api/command', { text: 'hello' }), 503);
    assert.equal(await outboxPending(services, 'jarvis-core'), answers.length);
    await services.kill('jarvis-core');
    await services.start('jarvis-core');
    assert.equal(await outboxPending(services, 'jarvis-core'), answers.length, 'a kill loses none of it');
    const stats = await services.call<ExperienceStats>('jarvis-core', 'GET /api/experiences/stats');
    assert.equal(stats.total, 2 * 32 + 12 + answers.length);

    // The job's version would take the place of the one that rolls, whose evidence is forgotten then.
    await services.call('jarvis-core', 'POST /api/training/pause', {});
    await services.start('reactor-core');
    await services.start('j-prime');
    await until(
      'the outbox to be delivered',
      async () => (await outboxPending(services, 'jarvis-core')) === 0,
    );
    const heard = services.rows(
      'reactor-core',
      `SELECT evidence_id FROM evidence WHERE deployment_id = '${deploymentId}' AND evidence_id LIKE 'corrected-%'`,
    );
    assert.deepEqual(
      heard.map((row) => String(row['evidence_id'])).sort((a, b) => a.localeCompare(b)),
      answers.map((a) => `corrected-${a.interaction_id}`).sort((a, b) => a.localeCompare(b)),
    );
    await services.call('jarvis-core', 'POST /api/training/resume', {});
    const done = await jobThat(
      services,
      job,
      'the job to be completed',
      ({ state }) => state === 'completed',
    );
    assert.equal(done.model_version, 'v0.1.2');
    assert.deepEqual(await services.broken(), []);
  },
);

test(
  'J-Prime alone serves by the last routes, across a kill; its evidence counts exactly once when the judge is back',
  { timeout: LIMIT_MS },
  async (t) => {
    const services = await makeServices(t);
    await begin(services);
    // The one session that met the candidate: until it is judged, J-Prime may hold it and not have stored it yet.
    await until('the judge to have heard of it', async () => (await judged(services)) === 1);
    await until('the outbox to be empty', async () => (await outboxPending(services, 'j-prime')) === 0);
    const before = await judged(services);
    await services.kill('reactor-core');
    await services.kill('jarvis-core');
    const predict = async (n: number): Promise<PredictResponse> =>
      services.call('j-prime', 'POST /api/predict/nlu', {
        input: { text: 'lights on please' },
        session_id: `session-${n}`,
      });
    const stored = (): number =>
      Number(
        services.rows('j-prime', `SELECT SUM(count) AS n FROM outbox WHERE kind = 'requests'`)[0]?.['n'],
      );
    const served: PredictResponse[] = [];
    for (let n = 0; n < 20; n += 1) served.push(await predict(n));
    await until('what was served to be stored', () => stored() === 20);
    await services.kill('j-prime');
    await services.start('j-prime');
    await until('the candidate to be ready again', async () => {
      served.push(await predict(served.length));
      return served.at(-1)?.arm === 'candidate';
    });
    for (let n = 0; n < 5; n += 1) served.push(await predict(served.length));
    assert.equal((await services.health('j-prime')).peers?.['reactor-core']?.reachable, false);
    const candidate = served.filter(({ arm }) => arm === 'candidate').length;
    assert.ok(candidate >= 26);

    await services.loseReceipt();
    await services.start('reactor-core');
    await until('the judge to have heard of all', async () => (await judged(services)) >= before + candidate);
    await until('the outbox to be empty', async () => (await outboxPending(services, 'j-prime')) === 0);
    assert.ok(services.receiptWasLost(), 'what was heard was sent again');
    assert.equal(await judged(services), before + candidate);
    await services.start('jarvis-core');
    assert.deepEqual(await services.broken(), []);
  },
);

test(
  'Reactor Core alone trains on to the end; JARVIS Core learns of it when it is back, and has its slot again',
  { timeout: LIMIT_MS },
  async (t) => {
    const services = await makeServices(t);
    await Promise.all([
      services.start('reactor-core'),
      services.start('jarvis-core'),
      services.start('j-prime'),
    ]);
    await store(services, [
      { type: 'vision', input: { image_path: 'a.png' }, expected_output: { label: 'cat' } },
      { type: 'vision', input: { image_path: 'b.png' }, expected_output: { label: 'dog' } },
    ]);
    const job = await submit(services, {
      model_type: 'vision',
      epochs: 6,
      auto_deploy: false,
      config: { model_architecture: 'held:3' },
    });
    await jobThat(services, job, 'it to train', ({ state, epoch }) => state === 'training' && epoch === 3);
    await services.kill('jarvis-core');
    await services.kill('j-prime');
    await until('Reactor Core to miss JARVIS Core', async () => {
      return (await services.health('reactor-core')).peers?.['jarvis-core']?.reachable === false;
    });
    await writeFile(join(services.home, 'reactor-core', 'runs', job, 'release'), '');
    const status = await until('the run to be completed', async () => {
      const now = await services.call<TrainingStatus>('reactor-core', `GET /api/training/status/${job}`);
      return now.status === 'completed' ? now : null;
    });
    assert.equal(status.epoch, 6);

    await services.start('jarvis-core');
    const done = await jobThat(
      services,
      job,
      'the job to be completed',
      ({ state }) => state === 'completed',
    );
    assert.deepEqual([done.model_version, done.attempt, done.epoch], [status.model_version, 1, 6]);
    await until('the slot to be free', async () => {
      const { locks } = locksSchema.parse(await services.call('jarvis-core', 'GET /api/locks'));
      return locks.every((lock) => lock.state === 'free');
    });
    await services.start('j-prime');
    assert.deepEqual(await services.broken(), []);
  },
);
