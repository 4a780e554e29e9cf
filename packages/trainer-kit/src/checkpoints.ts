// Checkpoints on disk: each a folder that is there whole or not at all, taken up only if every byte verifies.
//   checkpoints/epoch-00000004-step-00000000/{manifest.json, manifest.sha256, ...}   newest that verifies and fits is resumed
//   checkpoints/epoch-....partial                                   left by a crash, removed
//   checkpoints/quarantine/epoch-....1                              broken or of another run, kept to be looked at
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type CheckpointManifest, checkpointManifestSchema, type Metrics } from '@jarvis/contracts';
import { canonicalJson, sha256Hex } from '@jarvis/model-kinds';
import { partialName, publishFolder } from './durable.ts';
import { TrainerFailure } from './failure.ts';

const MANIFEST_FILE = 'manifest.json';
/** The sum of the manifest's bytes, in the form that `sha256sum --check` reads. */
const SUM_FILE = 'manifest.sha256';
const QUARANTINE = 'quarantine';
const QUARANTINED_MAX = 1000;
const NUMBER_DIGITS = 8;
const NAME = /^epoch-\d{8}-step-\d{8}$/;
const PARTIAL_NAME = /^epoch-\d{8}-step-\d{8}\.partial$/;

/** What a checkpoint must share with the run that takes it up. */
export type CheckpointIdentity = Pick<
  CheckpointManifest,
  'job_id' | 'dataset_sha256' | 'config_sha256' | 'code_sha256'
>;

export interface Checkpoint {
  readonly path: string;
  readonly manifest: CheckpointManifest;
  readonly files: Readonly<Record<string, Uint8Array>>;
}

export interface CheckpointState {
  /** Epochs completed. */
  readonly epoch: number;
  /** Steps done of the epoch under way. */
  readonly step: number;
  readonly metrics: Metrics;
  readonly files: Readonly<Record<string, Uint8Array>>;
}

function padded(value: number): string {
  return String(value).padStart(NUMBER_DIGITS, '0');
}

function nameOf(epoch: number, step: number): string {
  return `epoch-${padded(epoch)}-step-${padded(step)}`;
}

function sumOf(manifest: Uint8Array): string {
  return `${sha256Hex(manifest)}  ${MANIFEST_FILE}\n`;
}

/** @throws when anything about the folder is not as its manifest says */
async function readVerified(path: string): Promise<Checkpoint> {
  const stored = await readFile(join(path, MANIFEST_FILE));
  if ((await readFile(join(path, SUM_FILE), 'utf8')) !== sumOf(stored))
    throw new Error(`${MANIFEST_FILE} is damaged`);
  const manifest = checkpointManifestSchema.parse(JSON.parse(stored.toString('utf8')));
  const files: Record<string, Uint8Array> = {};
  for (const [name, want] of Object.entries(manifest.files)) {
    const bytes = await readFile(join(path, name));
    if (bytes.byteLength !== want.bytes || sha256Hex(bytes) !== want.sha256)
      throw new Error(`${name} is damaged`);
    files[name] = bytes;
  }
  return { path, manifest, files };
}

export class CheckpointStore {
  readonly #dir: string;
  readonly #identity: CheckpointIdentity;
  readonly #token: number;
  readonly #keepLast: number;

  constructor(options: { dir: string; identity: CheckpointIdentity; token: number; keepLast: number }) {
    this.#dir = options.dir;
    this.#identity = options.identity;
    this.#token = options.token;
    this.#keepLast = options.keepLast;
  }

  /**
   * The newest checkpoint that verifies and is of this job, data, configuration and code; newer ones that don't are set aside.
   * @throws {TrainerFailure} `stale_token` when it was written under a newer token than ours
   */
  async resume(): Promise<Checkpoint | null> {
    await mkdir(this.#dir, { recursive: true });
    await this.#removePartials();
    for (const name of (await this.#names()).reverse()) {
      const checkpoint = await this.#open(join(this.#dir, name));
      if (checkpoint !== null) return checkpoint;
      await this.#setAside(name);
    }
    return null;
  }

  /** Writes a checkpoint, then removes the oldest beyond those kept. @returns its folder */
  async save(state: CheckpointState): Promise<string> {
    const path = join(this.#dir, nameOf(state.epoch, state.step));
    const files = Object.entries(state.files).map(
      ([name, bytes]) => [name, { bytes: bytes.byteLength, sha256: sha256Hex(bytes) }] as const,
    );
    const manifest: CheckpointManifest = {
      ...this.#identity,
      format: 1,
      epoch: state.epoch,
      token: this.#token,
      metrics: state.metrics,
      files: Object.fromEntries(files),
    };
    await mkdir(this.#dir, { recursive: true });
    const bytes = Buffer.from(canonicalJson(manifest));
    const contents = {
      files: { ...state.files, [SUM_FILE]: Buffer.from(sumOf(bytes)) },
      manifest: { name: MANIFEST_FILE, bytes },
    };
    await publishFolder(path, contents, 'trainer.checkpoint.rename');
    await this.#prune();
    return path;
  }

  async #names(): Promise<string[]> {
    return (await readdir(this.#dir)).filter((name) => NAME.test(name)).sort();
  }

  async #open(path: string): Promise<Checkpoint | null> {
    let checkpoint: Checkpoint;
    try {
      checkpoint = await readVerified(path);
    } catch {
      return null;
    }
    const { manifest } = checkpoint;
    const identity = this.#identity;
    if (manifest.job_id === identity.job_id && manifest.token > this.#token) {
      throw new TrainerFailure(
        'stale_token',
        `${path} has token ${manifest.token}, this run only ${this.#token}`,
      );
    }
    const fits =
      manifest.job_id === identity.job_id &&
      manifest.dataset_sha256 === identity.dataset_sha256 &&
      manifest.config_sha256 === identity.config_sha256 &&
      manifest.code_sha256 === identity.code_sha256;
    return fits ? checkpoint : null;
  }

  async #setAside(name: string): Promise<void> {
    const quarantine = join(this.#dir, QUARANTINE);
    await mkdir(quarantine, { recursive: true });
    const taken = new Set(await readdir(quarantine));
    for (let number = 1; number <= QUARANTINED_MAX; number++) {
      const target = `${name}.${number}`;
      if (taken.has(target)) continue;
      await rename(join(this.#dir, name), join(quarantine, target));
      return;
    }
    throw new Error(`${quarantine} is full: look through it and empty it`);
  }

  async #removePartials(): Promise<void> {
    const partials = (await readdir(this.#dir)).filter((name) => PARTIAL_NAME.test(name));
    for (const name of partials) await rm(join(this.#dir, name), { recursive: true, force: true });
  }

  async #prune(): Promise<void> {
    const names = await this.#names();
    for (const name of names.slice(0, Math.max(0, names.length - this.#keepLast))) {
      // Under another name first: a crash half-way through leaves no folder that looks like a checkpoint.
      const doomed = join(this.#dir, partialName(name));
      await rm(doomed, { recursive: true, force: true });
      await rename(join(this.#dir, name), doomed);
      await rm(doomed, { recursive: true, force: true });
    }
  }
}
