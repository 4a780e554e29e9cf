// A small nlu model that the built-in trainer really trains, from some of the project's own sentences, and a J-Prime, a
// process of its own, that serves it.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { sha256Hex } from '@jarvis/model-kinds';
import { tempFolder } from '@jarvis/testkit';
import type { FixtureModel } from '../../apps/j-prime/test/fixture-models.ts';
import { type Client, makeWorld, spawnPrime } from '../../apps/j-prime/test/harness.ts';
import { readLabelledTexts } from '../../bench/nlu/labelled-texts.ts';
import { trainOnce } from '../../bench/nlu/train-once.ts';

const SENTENCES = fileURLToPath(new URL('../../data/assistant-commands/commands.jsonl', import.meta.url));
const INTENTS = 6;
const EPOCHS = 6;
export const VERSION = 'v0.1.0';

/** Known sentences, another script, marks, an apostrophe, a sentence of no intent, and one without any letter. */
export const TEXTS = [
  'i need to buy toilet paper next time',
  "what's on my calendar",
  'ça va, ﬁancée? ÅNGSTRÖM İstanbul',
  '日本語 यूनिकोड text',
  'who won the war of the roses',
  '?!',
];

/** @returns the folder of its artifact */
export async function train(t: TestContext): Promise<string> {
  const rows = await readLabelledTexts(SENTENCES);
  const intents = new Set([...new Set(rows.map(({ label }) => label))].slice(0, INTENTS));
  const some = rows.filter(({ label }) => intents.has(label));
  const { artifactDir } = await trainOnce(await tempFolder(t), some, { epochs: EPOCHS, seed: 1 });
  return artifactDir;
}

async function modelIn(artifactDir: string): Promise<FixtureModel> {
  const names = await readdir(artifactDir);
  const files = await Promise.all(names.map((name) => readFile(join(artifactDir, name))));
  const digest = sha256Hex(await readFile(join(artifactDir, 'model.json')));
  return { version: VERSION, digest, blobs: new Map(files.map((bytes) => [sha256Hex(bytes), bytes])) };
}

/** A J-Prime that serves the model of this folder. */
export async function primeServing(artifactDir: string): Promise<Client> {
  const world = await makeWorld();
  world.reactor.route(await modelIn(artifactDir));
  const prime = await spawnPrime(world);
  await prime.serves(VERSION);
  return prime;
}
