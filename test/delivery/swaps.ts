// The stable version is replaced and rolled back again and again while many connections ask for predictions, and, if
// wanted, Reactor Core and JARVIS Core are killed meanwhile: nothing fails, nobody unrouted answers, nobody waits longer.
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Deployment } from '@jarvis/contracts';
import { until } from '@jarvis/testkit';
import { makeAsker } from './asking.ts';
import { type Found, some } from './found.ts';
import { deploy, type Home, makeStable, routeOf, servedVersion } from './home.ts';
import { type Answered, appliedBy, quantile, strangers, type Turn } from './swap-judge.ts';
import { TELLING_TEXT } from './versions.ts';

const LOAD = fileURLToPath(new URL('load.ts', import.meta.url));
const CONNECTIONS = 64;
/** Of each connection: 64 of them make 128 requests in a second, well below what one J-Prime serves. */
const EVERY_MS = 500;
const SWAPS_PER_BLOCK = 20;
const DWELL_MS = 150;
const KILL_EVERY_MS = 3_000;
const SWAP_LIMIT_MS = 120_000;
/** Floats of one model and one text, in batches or alone. */
const TOLERANCE = 1e-5;

export interface SwapOptions {
  readonly home: Home;
  readonly folder: string;
  /** At least two that are in the registry of this home. */
  readonly versions: readonly string[];
  readonly swaps: number;
  readonly kills: boolean;
  /** Whether there are times without swaps between them, to compare with. */
  readonly compares: boolean;
  readonly say: (line: string) => void;
}

interface Block {
  readonly isQuiet: boolean;
  readonly fromMs: number;
  readonly toMs: number;
}

export async function swapUnderLoad(
  options: SwapOptions,
): Promise<Found & { readonly ratio: number | null }> {
  const { home, folder, versions, kills, say } = options;
  const confidences = await confidencesOf(home, versions);
  const [first = ''] = versions;
  await makeStable(home, first);
  const turns: Turn[] = [{ version: first, notBeforeMs: 0, seenMs: Date.now() }];
  const load = await startLoad(home.system.urls['j-prime'], join(folder, `answers-${kills}.jsonl`));
  const killer = kills ? startKiller(home) : null;
  let killed: Record<string, number> = {};
  let answers: Answered[] = [];
  let blocks: Block[] = [];
  try {
    blocks = await swapInBlocks(options, turns);
  } finally {
    killed = (await killer?.stop()) ?? {};
    answers = await load.stop();
  }
  say(`${turns.length - 1} swaps, ${answers.length} answers`);
  const { rows, ratio } = slowness(answers, blocks);
  return {
    title: kills
      ? 'Hot swap under load, while Reactor Core and JARVIS Core are killed'
      : 'Hot swap under load',
    rows: [
      ...rowsOf(answers, turns),
      ...Object.entries(killed).map(([service, count]) => [`kill -9 of ${service}`, count] as const),
      ...rows,
    ],
    problems: problemsOf(answers, turns, confidences),
    ratio,
  };
}

function rowsOf(answers: readonly Answered[], turns: readonly Turn[]): Found['rows'] {
  const swaps = turns.length - 1;
  return [
    ['deployments and rollbacks', `${Math.ceil(swaps / 2)} and ${swaps >> 1}`],
    [`requests, from ${CONNECTIONS} connections`, answers.length],
    ['failed', answers.filter((a) => a.status !== 200).length],
    ['of a version that was not routed then', strangers(answers, turns).length],
    [
      'turns of a version in which nobody was answered',
      turns.filter((_, k) => !answeredIn(answers, turns, k)).length,
    ],
    ['from publication to the first sign of it, median (most)', lag(answers, turns)],
  ];
}

function problemsOf(
  answers: readonly Answered[],
  turns: readonly Turn[],
  confidences: ReadonlyMap<string, number>,
): string[] {
  const failed = answers.filter((a) => a.status !== 200);
  const mistaken = answers.filter(
    (a) =>
      a.status === 200 && !(Math.abs((confidences.get(a.version) ?? Number.NaN) - a.confidence) <= TOLERANCE),
  );
  return [
    ...some(
      'failed',
      failed.map((a) => `${a.status} ${a.trouble}`),
    ),
    ...some('of a version not routed then', strangers(answers, turns)),
    ...some(
      'not what their version answers',
      mistaken.map((a) => `${a.version} ${a.confidence}`),
    ),
    ...(answers.length === 0 ? ['nobody asked'] : []),
  ];
}

/** What each version answers, so that an answer tells who gave it, whatever it says. */
async function confidencesOf(home: Home, versions: readonly string[]): Promise<Map<string, number>> {
  const asker = makeAsker(home.system.urls['j-prime'], 1);
  const found = new Map<string, number>();
  for (const version of versions) {
    await makeStable(home, version);
    const { body } = await asker.ask(TELLING_TEXT);
    assert.equal(body.version, version);
    found.set(version, body.confidence);
  }
  asker.close();
  const sorted = [...found.values()].toSorted((a, b) => a - b);
  for (const [i, confidence] of sorted.slice(1).entries())
    assert.ok(confidence - sorted[i]! > 2 * TOLERANCE, `the confidences tell no versions: ${sorted.join()}`);
  return found;
}

/** Blocks of swaps, and times of the same length without: the first is shorter, and counts for neither. */
async function swapInBlocks(options: SwapOptions, turns: Turn[]): Promise<Block[]> {
  const { home, versions, swaps, compares, say } = options;
  const blocks: Block[] = [];
  await sleep(1_000);
  for (let done = 0; done < swaps; done += SWAPS_PER_BLOCK) {
    const fromMs = Date.now();
    for (let n = done; n < Math.min(done + SWAPS_PER_BLOCK, swaps); n += 1) {
      // There and back, and each time to the next one.
      const version = versions[n % 2 === 0 ? 1 + ((n / 2) % (versions.length - 1)) : 0] ?? '';
      turns.push(await swap(home, version, n % 2 === 0));
      await sleep(DWELL_MS);
    }
    const toMs = Date.now();
    blocks.push({ isQuiet: false, fromMs, toMs });
    say(`${turns.length - 1} swaps`);
    if (!compares) continue;
    await sleep(toMs - fromMs);
    blocks.push({ isQuiet: true, fromMs: toMs, toMs: Date.now() });
  }
  return blocks;
}

/** Until J-Prime serves it. A call without an answer may have been taken: looked up before it is made again. */
async function swap(home: Home, version: string, isDeployment: boolean): Promise<Turn> {
  const calledMs = Date.now();
  const isRouted = async (): Promise<boolean> => (await routeOf(home))?.stable.version === version;
  await until(
    `${version} to be routed`,
    async () => {
      try {
        if (await isRouted()) return true;
        if (await isGating(home, version)) return false;
        if (isDeployment) await deploy(home, version, 'immediate');
        else
          await home.call('reactor-core', 'POST /api/models/rollback', {
            model_type: 'nlu',
            previous_version: version,
          });
        return await isRouted();
      } catch (error) {
        // Reactor Core is away: it comes back.
        if (error instanceof TypeError || (error as Error).name === 'TimeoutError') return false;
        throw error;
      }
    },
    SWAP_LIMIT_MS,
  );
  await until(`${version} to be served`, async () => (await servedVersion(home)) === version, SWAP_LIMIT_MS);
  const seenMs = Date.now();
  return { version, notBeforeMs: await publishedMs(home, version, calledMs), seenMs };
}

async function isGating(home: Home, version: string): Promise<boolean> {
  const { deployments } = await home.call<{ deployments: Deployment[] }>(
    'reactor-core',
    'GET /api/deployments',
  );
  return deployments.some((d) => d.model_version === version && d.state === 'gating');
}

/** The first promotion since the call, as Reactor Core tells it; of a rollback the call itself. */
async function publishedMs(home: Home, version: string, calledMs: number): Promise<number> {
  const list = await home
    .call<{ deployments: Deployment[] }>('reactor-core', 'GET /api/deployments')
    .catch(() => ({ deployments: [] }));
  const ends = list.deployments
    .filter((d) => d.model_version === version && d.state === 'promoted' && d.ended_at !== null)
    .map((d) => Date.parse(d.ended_at ?? ''))
    .filter((ms) => ms >= calledMs);
  return ends.length === 0 ? calledMs : Math.min(...ends);
}

interface Load {
  stop(): Promise<Answered[]>;
}

async function startLoad(url: string, file: string): Promise<Load> {
  const child = fork(LOAD, [url, String(CONNECTIONS), String(EVERY_MS), file]);
  await once(child, 'message');
  return {
    stop: async () => {
      const gone = once(child, 'exit');
      child.send('stop');
      assert.deepEqual((await gone)[0], 0);
      const lines = (await readFile(file, 'utf8')).trim().split('\n');
      return lines.map((line) => JSON.parse(line) as Answered);
    },
  };
}

/** Kills Reactor Core and JARVIS Core in turn; the supervisor brings them back. */
function startKiller(home: Home): { stop: () => Promise<Record<string, number>> } {
  const counts: Record<string, number> = {};
  const stopping = new AbortController();
  const run = async (): Promise<void> => {
    for (let n = 0; !stopping.signal.aborted; n += 1) {
      const service = n % 3 === 2 ? 'jarvis-core' : 'reactor-core';
      await sleep(KILL_EVERY_MS);
      const pid = await home.system.pidOf(service);
      if (pid === null) continue;
      process.kill(pid, 'SIGKILL');
      counts[service] = (counts[service] ?? 0) + 1;
    }
  };
  const done = run();
  return {
    stop: async () => {
      stopping.abort();
      await done;
      await until('both to be back', async () => {
        const pids = await Promise.all(
          (['reactor-core', 'jarvis-core'] as const).map((s) => home.system.pidOf(s)),
        );
        return pids.every((pid) => pid !== null);
      });
      return counts;
    },
  };
}

function slowness(
  answers: readonly Answered[],
  blocks: readonly Block[],
): { rows: (readonly [string, string])[]; ratio: number | null } {
  const tookIn = (wanted: readonly Block[]): number[] =>
    answers
      .filter((a) => wanted.some((b) => a.startMs >= b.fromMs && a.startMs < b.toMs))
      .map((a) => a.tookMs);
  const quiet = tookIn(blocks.filter((b) => b.isQuiet));
  const swapping = tookIn(blocks.filter((b) => !b.isQuiet));
  if (quiet.length === 0) return { rows: [], ratio: null };
  const told = (took: readonly number[]): string =>
    [0.5, 0.99].map((part) => quantile(took, part).toFixed(1)).join(' and ');
  const ratio = quantile(swapping, 0.99) / quantile(quiet, 0.99);
  const each = blocks.flatMap((block, i) => {
    const next = blocks[i + 1];
    if (block.isQuiet || next === undefined) return [];
    return [quantile(tookIn([block]), 0.99) / quantile(tookIn([next]), 0.99)];
  });
  return {
    rows: [
      ['ms to an answer with swaps, median and p99', told(swapping)],
      ['ms to an answer without, median and p99', told(quiet)],
      ['p99 with swaps over p99 without', ratio.toFixed(2)],
      ['the same, block by block', each.map((r) => r.toFixed(2)).join(', ')],
    ],
    ratio,
  };
}

function answeredIn(answers: readonly Answered[], turns: readonly Turn[], k: number): boolean {
  const turn = turns[k]!;
  const nextMs = turns[k + 1]?.notBeforeMs ?? Infinity;
  return answers.some((a) => a.endMs >= turn.notBeforeMs && a.endMs < nextMs && a.version === turn.version);
}

function lag(answers: readonly Answered[], turns: readonly Turn[]): string {
  const lags = appliedBy(answers, turns)
    .map((by, k) => by - (turns[k]?.notBeforeMs ?? 0))
    .slice(1);
  return `${quantile(lags, 0.5)} ms (${Math.max(...lags)} ms)`;
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
