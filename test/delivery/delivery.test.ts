// A sample of the proof of delivery, small enough for every push: each part of it once, on two homes with the whole system.
// The whole of it: npm run proof:delivery.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { join } from 'node:path';
import { afterwards, seededRandom, tempFolder } from '@jarvis/testkit';
import type { Found } from './found.ts';
import { makeGround } from './ground.ts';
import { servePair } from './pair.ts';
import { refuse } from './refused.ts';
import { shareSessions } from './sticky.ts';
import { KILL_STATES, survive } from './survival.ts';
import { swapUnderLoad } from './swaps.ts';

const LIMIT_MS = 280_000;
const seed = Number(process.env['E2E_SEED'] ?? 1);
const SWAPS = 5;
const SESSIONS = 400;

test('versions are delivered, sample', { timeout: LIMIT_MS }, async (t) => {
  const folder = await tempFolder(t);
  const say = (line: string): void => t.diagnostic(line);
  const ground = await makeGround({ folder, served: 2, fresh: 0, say });
  afterwards(t, () => ground.end());
  const { first, second, trained, versions, brittle, fresh } = ground;
  const [stable = '', candidate = ''] = versions;
  const random = seededRandom(seed);
  const killAt = KILL_STATES[Math.floor(random.unit() * KILL_STATES.length)] ?? 'step 2';
  // The gate of an imported one is over at once.
  const isBad = killAt !== 'gating' && random.unit() < 0.5;
  const part = (name: string, run: () => Promise<Found>): Promise<void> =>
    t.test(name, async (inner) => {
      const found = await run();
      for (const [what, figure] of found.rows) inner.diagnostic(`${what}: ${figure}`);
      assert.deepEqual(found.problems, []);
    });

  await part('a version of one home is served in another', () => Promise.resolve(ground.moved));
  await part('deployments and rollbacks under load fail no request, with Reactor Core killed meanwhile', () =>
    swapUnderLoad({ home: second, folder, versions, swaps: SWAPS, kills: true, compares: false, say }),
  );
  await part('what cannot be served is refused', () => {
    const [flipped] = fresh;
    assert.ok(flipped);
    return refuse({ home: second, stable, flipped, short: null, brittle: brittle.second, say });
  });
  await part('sessions keep their version, and are drawn anew for a newer candidate', () =>
    shareSessions({ home: second, stable, candidate, newer: brittle.second, sessions: SESSIONS, say }),
  );
  await part('two J-Primes serve the same, and both count', () =>
    servePair({
      home: second,
      folder: join(folder, 'pair'),
      stable,
      candidate,
      sessions: SESSIONS,
      away: false,
      say,
    }),
  );
  await part(`a ${isBad ? 'bad' : 'good'} rollout survives kill -9 of everything at ${killAt}`, () =>
    survive({
      home: first,
      stable: trained[0]?.version ?? '',
      candidate: isBad ? brittle.first : (trained[1]?.version ?? ''),
      isBad,
      killAt,
      say,
    }),
  );
});
