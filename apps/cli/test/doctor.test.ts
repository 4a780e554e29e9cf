// `jarvis doctor`: well when all is well, and each thing that may be wrong is found, with services and without.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { exited } from '@jarvis/testkit';
import { type Fixture, fixture } from './fixture.ts';

const LIMIT_MS = 240_000;
const LONG_AGO_SECONDS = 1_700_000_000;

interface Seen {
  readonly code: number | null;
  readonly checks: readonly { subject: string; state: string; message: string; todo: string | null }[];
}

async function examine(f: Fixture, env: Readonly<Record<string, string>> = {}): Promise<Seen> {
  const { code, stdout, stderr } = await f.run(['doctor', '--json'], env);
  assert.equal(stderr, '');
  const told = JSON.parse(stdout) as { exit_code: number; checks: Seen['checks'] };
  assert.equal(told.exit_code, code);
  for (const { state, todo, message } of told.checks)
    assert.ok(state !== 'broken' || todo !== null, `${message}: what is to be done?`);
  return { code, checks: told.checks };
}

function assertSays(seen: Seen, state: string, subject: string, message: RegExp): void {
  const found = seen.checks.some(
    (c) => c.state === state && c.subject === subject && message.test(c.message),
  );
  assert.ok(found, `no ${state} of ${subject} says ${message}: ${JSON.stringify(seen.checks, null, 2)}`);
}

async function leave(path: string): Promise<void> {
  await mkdir(join(path, '..'), { recursive: true });
  await writeFile(path, 'half');
  await utimes(path, LONG_AGO_SECONDS, LONG_AGO_SECONDS);
}

test('with nothing there at all it says so, and how to begin', async (t) => {
  const f = await fixture(t);
  const seen = await examine(f);
  assert.equal(seen.code, 69);
  assertSays(seen, 'note', 'home', /there is none at/);
  for (const title of ['JARVIS Core', 'J-Prime', 'Reactor Core'])
    assertSays(seen, 'note', title, /does not run: nothing listens at http:\/\/127\.0\.0\.1:\d+/);
  assert.deepEqual(
    seen.checks.filter(({ state }) => state === 'broken'),
    [],
  );
});

test('every mistake of the configuration is told, with its exit code', async (t) => {
  const f = await fixture(t);
  const seen = await examine(f, { ROLLOUT_ALPHA: '7', TRAINING_LOCK_TTL: 'soon' });
  assert.equal(seen.code, 78);
  assertSays(seen, 'broken', 'configuration', /ROLLOUT_ALPHA/);
  assertSays(seen, 'broken', 'configuration', /TRAINING_LOCK_TTL/);
});

test('a home without services is looked through: rights, id, what a crash left', async (t) => {
  const f = await fixture(t);
  await mkdir(f.home);
  await chmod(f.home, 0o755);
  await writeFile(join(f.home, 'home_id'), 'no id');
  await leave(join(f.home, 'reactor-core/registry/blobs/abc.copy-1.partial'));
  await leave(join(f.home, 'j-prime/artifacts/.incoming-1/model.json'));
  await utimes(join(f.home, 'j-prime/artifacts/.incoming-1'), LONG_AGO_SECONDS, LONG_AGO_SECONDS);
  await leave(join(f.home, 'events/.claimed/experiences_nlu_1.json'));
  await leave(join(f.home, 'events/rejected/experiences_nlu_2.json'));
  await leave(join(f.home, 'events/rejected/experiences_nlu_2.json.reason.txt'));
  const seen = await examine(f);
  assert.equal(seen.code, 1, 'an id that cannot be read keeps the services from starting');
  assertSays(seen, 'note', 'home', /is open to other users/);
  assertSays(seen, 'broken', 'home id', /does not hold an id but "no id"/);
  assertSays(seen, 'note', 'leftovers', /^2 half-written files/);
  assertSays(seen, 'note', 'drop folder', /^1 files were claimed/);
  assertSays(seen, 'note', 'drop folder', /^1 files were set aside, such as experiences_nlu_2\.json$/);
  await writeFile(join(f.home, 'home_id'), '01234567-89ab-cdef-0123-456789abcdef\n');
  assert.equal((await examine(f)).code, 69, 'the rest is worth knowing, and breaks nothing');
});

test('a process that works on the home and belongs to nobody is named; who reads its logs is not', async (t) => {
  const f = await fixture(t);
  await mkdir(join(f.home, 'logs'), { recursive: true });
  const hold = async (path: string): Promise<ReturnType<typeof spawn>> => {
    const script = `require('fs').openSync(${JSON.stringify(path)}, 'a'); console.log('open'); setInterval(() => {}, 1000)`;
    const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    t.after(async () => {
      child.kill('SIGKILL');
      await exited(child);
    });
    if (child.stdout !== null) await once(child.stdout, 'data');
    return child;
  };
  await hold(join(f.home, 'logs', 'jarvis-core.log'));
  assertSays(await examine(f), 'fine', 'processes', /none works on the home/);
  const orphan = await hold(join(f.home, 'lock.db'));
  const seen = await examine(f);
  assert.equal(seen.code, 1);
  assertSays(seen, 'broken', 'processes', new RegExp(`^pid ${orphan.pid} works on the home`));
});

test('who answers in the place of a service is said to be a stranger', async (t) => {
  const f = await fixture(t);
  const server = createServer((_req, res) => res.end('hello')).listen(f.ports[1], '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const seen = await examine(f);
  assert.equal(seen.code, 1);
  assertSays(seen, 'broken', 'J-Prime', /does not answer \/health as a service of this system does/);
  assertSays(seen, 'broken', 'JARVIS Core', /does not run/);
});

test(
  'the running system: well, then broken in its store, then without supervisor and one service',
  { timeout: LIMIT_MS },
  async (t) => {
    const f = await fixture(t);
    const up = await f.up({ TRAINING_BASELINE_ENABLED: 'false' });
    const well = await examine(f);
    assert.equal(well.code, 0, JSON.stringify(well.checks, null, 2));
    assertSays(well, 'fine', 'home', /is private/);
    assertSays(well, 'fine', 'supervisor', /^runs, pid \d+$/);
    assertSays(well, 'fine', 'processes', /none works on the home/);
    assertSays(well, 'fine', 'JARVIS Core', /its invariants hold \(I1, (I2, )?I3, I4\)/);
    assertSays(well, 'fine', 'J-Prime', /its invariants hold \(I2, I7, I8, outbox\)/);
    assertSays(well, 'fine', 'Reactor Core', /its invariants hold \(I1, I4, I8, deployments\)/);
    assertSays(well, 'fine', 'J-Prime', /reaches reactor-core since \d{4}-/);
    assertSays(well, 'fine', 'J-Prime', /its outbox is delivered/);
    const { stdout } = await f.run(['doctor']);
    assert.match(stdout, /^✓ configuration +\d+ variables set/);
    assert.match(stdout, /\nAll is well\.\n$/);

    const db = new DatabaseSync(join(f.home, 'jarvis-core', 'jarvis-core.db'), { timeout: 5_000 });
    db.exec(`INSERT INTO experience_batches (batch_id, digest, stored) VALUES ('lost', '', 3)`);
    const hurt = await examine(f);
    assert.equal(hurt.code, 1);
    assertSays(hurt, 'broken', 'JARVIS Core', /I3 is broken: 3 experiences were acknowledged, 0 are stored/);
    db.exec(`DELETE FROM experience_batches`);
    db.close();

    const { stdout: status } = await f.run(['status', '--json']);
    const { services } = JSON.parse(status) as { services: { service: string; health: { pid: number } }[] };
    const record = JSON.parse(await readFile(join(f.home, 'supervisor.json'), 'utf8')) as { pid: number };
    process.kill(record.pid, 'SIGKILL');
    await exited(up.child);
    assertSays(await examine(f), 'note', 'supervisor', /ended without stopping what it started/);
    const prime = services.find(({ service }) => service === 'j-prime')?.health.pid ?? 0;
    process.kill(prime, 'SIGSTOP');
    t.after(() => kill(prime, 'SIGCONT'));
    const silent = await examine(f);
    assert.equal(silent.code, 1);
    assertSays(silent, 'broken', 'J-Prime', /no answer to \/health within/);
    assertSays(silent, 'broken', 'processes', new RegExp(`^pid ${prime} works on the home`));
    process.kill(prime, 'SIGCONT');
  },
);

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It is gone.
  }
}
