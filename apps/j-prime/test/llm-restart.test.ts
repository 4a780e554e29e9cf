// J-Prime killed while it makes room: what it says afterwards is what is so.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { type FailpointEntry, FAILPOINTS_VARIABLE } from '@jarvis/failpoints';
import { afterwards, exited, freePort, until } from '@jarvis/testkit';
import { Client } from './harness.ts';
import { makeLlmWorld } from './llm-world.ts';

const PROGRAM = new URL('./children/prime-with-llm.ts', import.meta.url).pathname;

/** Where it is killed, by how often its record was stored: 1 is the plan, 2 that the LLM begins, 3 its first way. */
const KILLS = [
  { passing: 2, moment: 'before', llm: 'ready', state: 'refused' },
  { passing: 2, moment: 'after', llm: 'ready', state: 'refused' },
  { passing: 3, moment: 'before', llm: 'asleep', state: 'done' },
  { passing: 4, moment: 'before', llm: 'asleep', state: 'done' },
] as const;

for (const { passing, moment, llm, state } of KILLS)
  test(`killed ${moment} storing step ${passing}: the LLM is ${llm}, and the request ${state}`, async (t) => {
    const world = await makeLlmWorld(t);
    await world.engine.bring(new AbortController().signal);
    const plan = join(world.folder, 'plan.json');
    const entry: FailpointEntry = { action: 'kill', step: 'prime.room.save', moment, passing };
    await writeFile(plan, JSON.stringify([entry]));
    const port = await freePort();
    const prime = new Client(`http://127.0.0.1:${port}`);
    const start = async (): Promise<ChildProcess> => {
      const child = spawn(process.execPath, [PROGRAM], {
        cwd: world.folder,
        env: {
          ...world.environment,
          JARVIS_PRIME_PORT: String(port),
          FIXTURE_LLM_PORT: new URL(world.engine.url).port,
          [FAILPOINTS_VARIABLE]: plan,
        },
        stdio: ['ignore', 'inherit', 'inherit'],
      });
      afterwards(t, () => child.kill('SIGKILL'));
      await until('J-Prime to answer', () => prime.health().catch(() => null));
      return child;
    };
    const first = await start();
    const request = {
      request_id: 'lease-1',
      bytes: 1,
      by: '2999-01-01T00:00:00Z',
      why: 'a test',
      policy: 'training_first',
    };
    await prime.call('POST', '/api/memory/make-room', request).catch(() => undefined);
    await exited(first);
    await start();
    assert.equal((await world.engine.state())?.state, llm);
    const answer = (await prime.call('POST', '/api/memory/make-room', request)).body as {
      state: string;
      steps: { state: string }[];
      reason: string;
    };
    const done = answer.steps.filter((step) => step.state === 'done').length;
    assert.deepEqual([answer.state, done], [state, state === 'done' ? 1 : 0], answer.reason);
    assert.match(answer.reason, /restarted meanwhile/);
    assert.equal((await prime.resources()).llm?.state, llm === 'ready' ? 'ready' : 'absent');
    await prime.call('POST', '/api/memory/restore', {});
    await until('the LLM to be back', async () => (await prime.resources()).llm?.state === 'ready');
  });
