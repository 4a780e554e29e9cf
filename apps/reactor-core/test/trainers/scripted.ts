// A trainer that speaks the protocol without anything of the house, and misbehaves as the job's `model_architecture` says:
//   MODE or MODE:EPOCH     the epoch behind which it does what it is told
//   growing:MIB            up to so much memory, a little more with each epoch
// Each start adds a line to <job>/starts. What holds it goes on once <job>/release is there.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { TrainerJob } from '@jarvis/contracts';

const LOOK_MS = 10;
const FLOOD_LINES = 5_000;
const LONG_LINE_CHARS = 1024 * 1024;
const PREEMPTED = 75;
const NEWLINE = 0x0a;
const LEAP_MIB = 800;
const GROWTH_MIB = 20;
const GROWTH_PAUSE_MS = 50;

const job = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as TrainerJob;
const [mode = 'steady', at = '1'] = (job.config.model_architecture ?? 'steady').split(':');
const folder = dirname(job.checkpoint.dir);
const checkpoint = join(job.checkpoint.dir, 'epoch');
let stopAsked = false;

appendFileSync(join(folder, 'starts'), `${job.attempt}\n`);
process.on('SIGTERM', () => {
  stopAsked = true;
  appendFileSync(join(folder, 'terms'), `${job.attempt}\n`);
});

function write(text: string | Buffer): void {
  appendFileSync(job.events_path, text);
}

function emit(type: string, fields: object): void {
  write(`${JSON.stringify({ token: job.token, at: new Date().toISOString(), type, ...fields })}\n`);
}

function progress(epoch: number): void {
  emit('progress', { epoch, total_epochs: job.epochs, loss: 1 / epoch, accuracy: epoch / job.epochs });
}

function save(epoch: number): void {
  mkdirSync(job.checkpoint.dir, { recursive: true });
  writeFileSync(`${checkpoint}.partial`, String(epoch));
  renameSync(`${checkpoint}.partial`, checkpoint);
  emit('checkpoint', { epoch, path: checkpoint, metrics: { loss: 1 / epoch } });
}

function startTicks(): string | null {
  try {
    const stat = readFileSync('/proc/self/stat', 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return null;
  }
}

function mayGoOn(): boolean {
  return existsSync(join(folder, 'release')) || (stopAsked && mode !== 'deaf');
}

async function released(): Promise<void> {
  while (!mayGoOn()) await delay(LOOK_MS);
}

function publish(): void {
  const weights = Buffer.from(`weights of ${job.job_id}`);
  const sha256 = createHash('sha256').update(weights).digest('hex');
  mkdirSync(job.artifact_dir, { recursive: true });
  writeFileSync(join(job.artifact_dir, 'weights'), mode === 'damaged' ? 'something else' : weights);
  const manifest = {
    format: 1,
    kind: job.model_type,
    labels: ['a', 'b'],
    encoding: {},
    metrics: { epochs: job.epochs },
    files: { weights: { bytes: weights.byteLength, sha256 } },
    lineage: {
      job_id: job.job_id,
      dataset_sha256: job.dataset.sha256,
      dataset_rows: job.dataset.rows,
      parent_version: job.parent_version,
      code_sha256: 'c'.repeat(64),
      config: {},
      seed: job.seed,
    },
  };
  writeFileSync(join(job.artifact_dir, 'model.json'), JSON.stringify(manifest));
}

/** Lines that are no events of this run. */
function babble(): void {
  write('no json\n{"type":"progress"}\n[]\nnull\n\n');
  const foreign = { token: job.token + 1, at: new Date().toISOString() };
  const progressed = { type: 'progress', epoch: 1, total_epochs: job.epochs, loss: 9, accuracy: null };
  for (const event of [progressed, { type: 'completed', metrics: {} }])
    write(`${JSON.stringify({ ...foreign, ...event })}\n`);
  write(`${'x'.repeat(LONG_LINE_CHARS)}\n`);
  const beyond = { token: job.token, at: new Date().toISOString(), ...progressed, epoch: 2 ** 40 };
  write(`${JSON.stringify(beyond)}\n`);
  write(Buffer.from('\0\0\0\n{"type":"\0"}\n'));
  write(Buffer.from([0xe2, 0x82, NEWLINE]));
}

/** An event in two writes, the first of which ends within a character. */
function stutter(epoch: number): void {
  const path = join(job.checkpoint.dir, 'é');
  const fields = { token: job.token, at: new Date().toISOString(), type: 'checkpoint', epoch, path };
  const bytes = Buffer.from(`${JSON.stringify({ ...fields, metrics: {} })}\n`);
  const within = bytes.indexOf('é') + 1;
  write(bytes.subarray(0, within));
  write(bytes.subarray(within));
}

/** Far more than is ever read, deaf to whoever asks for an end. */
async function writeForEver(epoch: number): Promise<never> {
  for (;;) {
    flood(epoch);
    await delay(0);
  }
}

/** More events at once than any reader takes in at a time. */
function flood(epoch: number): void {
  const line = { token: job.token, at: new Date().toISOString(), type: 'progress', total_epochs: job.epochs };
  const events = Array.from({ length: FLOOD_LINES }, (_, i) => ({
    ...line,
    epoch,
    loss: i + 1,
    accuracy: null,
  }));
  write(events.map((event) => `${JSON.stringify(event)}\n`).join(''));
}

const held: Buffer[] = [];

/** Really takes so much memory: every page is touched. */
function take(mebibytes: number): void {
  held.push(Buffer.alloc(mebibytes * 1024 ** 2, 1));
}

/** A little more with each epoch, up to `mebibytes`. */
async function grow(mebibytes: number): Promise<void> {
  if (held.length * GROWTH_MIB < mebibytes) take(GROWTH_MIB);
  await delay(GROWTH_PAUSE_MS);
}

/** What this mode does behind its epoch. @returns an exit code when that is the end */
async function act(epoch: number): Promise<number | null> {
  switch (mode) {
    case 'held':
    case 'deaf':
      await released();
      return null;
    case 'leaping':
      await released();
      take(LEAP_MIB);
      return null;
    case 'dying':
      return 3;
    case 'dying-once':
      return job.attempt === 1 ? 3 : null;
    case 'failing':
    case 'failing-for-now':
      emit('failed', { code: 'out_of_memory', message: 'as asked', retryable: mode === 'failing-for-now' });
      return 1;
    case 'babbling':
      babble();
      return null;
    case 'stuttering':
      stutter(epoch);
      return null;
    case 'speaking-twice':
      progress(epoch);
      save(epoch);
      save(epoch);
      emit('failed', { code: 'a\0b', message: 'first\0', retryable: true });
      emit('failed', { code: 'a\0b', message: 'again\0\ud800', retryable: false });
      return 1;
    case 'paused':
    case 'paused-once':
      if (job.attempt === 1 || mode === 'paused') process.kill(process.pid, 'SIGSTOP');
      return null;
    case 'stuck-once':
      if (job.attempt === 1) for (;;);
      return null;
    case 'endless':
      return writeForEver(epoch);
    case 'flooding':
      flood(epoch);
      return null;
    case 'parent': {
      const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)', folder], {
        stdio: 'ignore',
      });
      child.unref();
      return 3;
    }
    default:
      return null;
  }
}

async function train(): Promise<number> {
  if (mode === 'slow') await released();
  if (mode === 'silent') return 0;
  const owner = { pid: process.pid, started_ticks: startTicks(), token: job.token };
  writeFileSync(job.owner_path, JSON.stringify(owner), { flag: 'wx' });
  const from = existsSync(checkpoint) ? Number(readFileSync(checkpoint, 'utf8')) : 0;
  emit('started', { total_epochs: job.epochs, resumed_from_epoch: from, resume_grade: 'restart' });
  for (let epoch = from + 1; epoch <= job.epochs; epoch += 1) {
    progress(epoch);
    if (epoch % job.checkpoint.interval_epochs === 0 && epoch < job.epochs) save(epoch);
    if (mode === 'growing') await grow(Number(at));
    const exit = epoch === Number(at) || mode === 'paused' ? await act(epoch) : null;
    if (exit !== null) return exit;
    await delay(0);
    if (!stopAsked || mode === 'deaf') continue;
    save(epoch);
    emit('preempted', { epoch });
    return PREEMPTED;
  }
  if (mode !== 'empty-handed') publish();
  emit('completed', { metrics: { epochs: job.epochs } });
  if (mode === 'lingering') setInterval(() => undefined, 1000);
  return 0;
}

process.exitCode = await train();
