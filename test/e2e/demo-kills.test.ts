// kill -9 of each service and of the trainer, once at each stage of the demo: it still ends well, nothing is lost or
// counted twice, and each job has one last event. By default one victim, drawn from E2E_SEED; `E2E_VICTIMS=all`: each;
// or names with commas between.
import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { join } from 'node:path';
import { test } from 'node:test';
import { seededRandom, tempFolder, until } from '@jarvis/testkit';
import { addressesIn, findHome, getJson, startDemo, type Urls } from './demo-process.ts';
import { see } from './stages.ts';

const VICTIMS = ['jarvis-core', 'j-prime', 'reactor-core', 'trainer'] as const;
type Victim = (typeof VICTIMS)[number];
const DEMO_LIMIT_MS = 300_000;

const seed = Number(process.env['E2E_SEED'] ?? 1);
const chosen = chooseVictims(process.env['E2E_VICTIMS']);

for (const victim of chosen) {
  test(`the demo ends well with ${victim} killed at each stage`, { timeout: DEMO_LIMIT_MS }, async (t) => {
    const folder = await tempFolder(t);
    const demo = startDemo(folder, ['--json', '--keep', '--seed', String(seed)]);
    t.after(() => demo.child.kill('SIGTERM'));
    const home = await until('the home of the demo', () => findHome(folder));
    const urls = await until('the addresses of the services', () => addressesIn(home));
    const killed: string[] = [];
    while (demo.child.exitCode === null) {
      const { stage, trainerPid } = await see(urls);
      if (stage !== null && !killed.includes(stage) && (victim !== 'trainer' || trainerPid !== null)) {
        if (await kill(victim, urls, trainerPid)) killed.push(stage);
      }
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    const { code, stdout, stderr } = await demo.ended;
    t.diagnostic(`${victim} killed at: ${killed.join(', ')}`);
    assert.equal(code, 0, `exit code ${code}\n${stdout}\n${stderr.slice(-4000)}`);
    assert.ok(killed.length >= 3, `killed only at ${killed.join(', ')}`);
    const summary = JSON.parse(stdout) as {
      experiences: { sent: number; stored: number };
      jobs: { job_id: string; state: string }[];
    };
    assert.equal(summary.experiences.stored, summary.experiences.sent);
    checkEvents(
      home,
      summary.jobs.map((j) => j.job_id),
    );
  });
}

function chooseVictims(named: string | undefined): readonly Victim[] {
  if (named === 'all') return VICTIMS;
  if (named === undefined)
    return VICTIMS.filter((_, i) => i === Math.floor(seededRandom(seed).unit() * VICTIMS.length));
  const names = named.split(',');
  assert.ok(
    names.every((name) => VICTIMS.some((victim) => victim === name)),
    `E2E_VICTIMS has to be all, or some of ${VICTIMS.join(', ')}`,
  );
  return names as Victim[];
}

async function kill(victim: Victim, urls: Urls, trainerPid: number | null): Promise<boolean> {
  const pid =
    victim === 'trainer'
      ? trainerPid
      : await pidOf(
          { 'jarvis-core': urls.core, 'j-prime': urls.prime, 'reactor-core': urls.reactor }[victim],
        );
  if (pid === null) return false;
  try {
    process.kill(pid, 'SIGKILL');
    return true;
  } catch {
    return false;
  }
}

async function pidOf(url: string): Promise<number | null> {
  return (await getJson<{ pid: number }>(`${url}/health`))?.pid ?? null;
}

/** Each job: gapless numbers, one terminal state, and it is the last. */
function checkEvents(home: string, jobs: readonly string[]): void {
  const db = new DatabaseSync(join(home, 'jarvis-core', 'jarvis-core.db'), { readOnly: true });
  try {
    for (const job of jobs) {
      const rows = db
        .prepare('SELECT seq, type, data FROM events WHERE stream = ? ORDER BY seq')
        .all(`job/${job}`) as { seq: number; type: string; data: string }[];
      assert.deepEqual(
        rows.map((r) => r.seq),
        rows.map((_, i) => i + 1),
        `events of ${job} have a gap`,
      );
      const states = rows
        .filter((r) => r.type === 'state')
        .map((r) => (JSON.parse(r.data) as { state: string }).state);
      assert.equal(
        states.filter((s) => ['completed', 'failed', 'cancelled'].includes(s)).length,
        1,
        `${job}: ${states.join(' ')}`,
      );
      assert.equal(states.at(-1), 'completed');
    }
  } finally {
    db.close();
  }
}
