// Versions that cannot be served: damaged on a disk, cut short, of another kind, failing at run time. Each is refused, says
// why, and nobody notices: the stable version answers meanwhile.
import { execFile } from 'node:child_process';
import { readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Deployment, type Health, MODEL_MANIFEST_FILE, modelManifestSchema } from '@jarvis/contracts';
import { until } from '@jarvis/testkit';
import { makeAsker } from './asking.ts';
import { type Found, some } from './found.ts';
import { blobPath, deploy, deploymentOf, type Home, makeStable, untilState } from './home.ts';
import { GRAPH_FILE, TEXT, TRIP_WORD } from './versions.ts';

const ASKING_AT_ONCE = 4;

/** A version as this home calls it, that its J-Prime has never fetched. */
export interface Fresh {
  readonly version: string;
  /** Where it was imported from. */
  readonly folder: string;
  /** One that no other version shares. */
  readonly file: string;
}

export interface RefusedOptions {
  readonly home: Home;
  readonly stable: string;
  readonly flipped: Fresh;
  /** Null: left out. */
  readonly short: Fresh | null;
  readonly brittle: string;
  readonly say: (line: string) => void;
}

type Row = readonly [string, string];
type Note = (what: string, told: string, wanted: RegExp) => void;

export async function refuse(options: RefusedOptions): Promise<Found> {
  const { home, stable, flipped, brittle, say } = options;
  await makeStable(home, stable);
  const rows: Row[] = [];
  const problems: string[] = [];
  const note: Note = (what, told, wanted) => {
    rows.push([what, told]);
    say(`${what}: ${told}`);
    if (!wanted.test(told)) problems.push(`${what}: "${told}" does not say ${wanted}`);
  };
  const asking = askOn(home);
  try {
    await offer(options, note);
  } finally {
    await asking.stop([]);
  }
  const { asked, strange } = await asking.stop([stable, brittle]);
  rows.push(['requests meanwhile, all answered by the stable version', String(asked)]);
  problems.push(...some('answers meanwhile', strange));
  const mended = await rollOutFurther(home, flipped.version, stable);
  note('the first one mended, deployed again', mended, new RegExp(`^${flipped.version}$`));
  return { title: 'What cannot be served is refused', rows, problems };
}

/** One after the other, what has to be refused. */
async function offer({ home, stable, flipped, short, brittle }: RefusedOptions, note: Note): Promise<void> {
  const blob = blobPath(home, await digestOf(flipped));
  await flip(blob);
  const damaged = await rollOut(home, flipped.version);
  note(
    'a byte of its blob flipped',
    `${damaged.state}: ${damaged.reason}`,
    /^rolled_back: .*can't be served: [a-z.]+ came with SHA-256/,
  );
  await atOnce(home, { stable, damaged: flipped.version, note });
  await flip(blob);
  if (short !== null) {
    await truncate(blobPath(home, await digestOf(short)), 100);
    const cut = await rollOut(home, short.version);
    note(
      'its blob cut short',
      `${cut.state}: ${cut.reason}`,
      /^rolled_back: .*can't be served: [a-z.]+ came with 100 bytes/,
    );
  }
  note('sent as a voice model', await importAs(home, flipped.folder, 'voice'), /kind nlu, not voice/);
  const failing = await failAtRunTime(home, brittle);
  note(
    'one that fails at run time',
    `${failing.state}: ${failing.reason}`,
    /^rolled_back: .*(failed, over the limit|sessions with an error)/,
  );
}

async function rollOut(home: Home, version: string): Promise<Deployment> {
  return untilState(home, await deploy(home, version), 'rolled_back', 'promoted');
}

async function rollOutFurther(home: Home, version: string, stable: string): Promise<string> {
  await makeStable(home, version);
  const asker = makeAsker(home.system.urls['j-prime'], 1);
  const served = (await asker.ask(TEXT)).body.version;
  asker.close();
  await makeStable(home, stable);
  return served;
}

/** Without steps everybody would get it: the old one goes on answering, and J-Prime says that it is less than healthy. */
async function atOnce(
  home: Home,
  of: {
    stable: string;
    damaged: string;
    note: Note;
  },
): Promise<void> {
  await untilState(home, await deploy(home, of.damaged, 'immediate'), 'promoted');
  const isHealth = (status: string): Promise<Health> =>
    until(`J-Prime to be ${status}`, async () => {
      const health = await home.call<Health>('j-prime', 'GET /health');
      return health.status === status ? health : null;
    });
  const { status, models_deployed: served } = await isHealth('degraded');
  of.note(
    'the same at once to everybody',
    `${status}, ${served['nlu']} answers`,
    new RegExp(`^degraded, ${of.stable} `),
  );
  await home.call('reactor-core', 'POST /api/models/rollback', { model_type: 'nlu' });
  await isHealth('healthy');
}

/** What the import answers, which has to fail. */
async function importAs(home: Home, folder: string, kind: string): Promise<string> {
  try {
    return await home.cli('models', 'import', kind, folder);
  } catch (error) {
    return (error as { stderr: string }).stderr.trim().split('\n')[0] ?? '';
  }
}

/** People whose text makes it fail get the answer of the stable version. */
async function failAtRunTime(home: Home, brittle: string): Promise<Deployment> {
  const id = await deploy(home, brittle);
  const asker = makeAsker(home.system.urls['j-prime'], ASKING_AT_ONCE);
  let n = 0;
  try {
    return await until(
      'the brittle version to go back',
      async () => {
        n += 1;
        const { status, body } = await asker.ask(`${TEXT} ${TRIP_WORD}`, `unlucky-${n}`);
        if (status !== 200 || body.version === brittle) throw new Error(`${status} by ${body.version}`);
        const deployment = await deploymentOf(home, id);
        return deployment.ended_at === null ? null : deployment;
      },
      60_000,
    );
  } finally {
    asker.close();
  }
}

/** People who ask for something harmless the whole time. */
function askOn(home: Home): {
  /** @param expected the versions that may have answered: besides the stable one that which fails at some texts only */
  stop: (expected: readonly string[]) => Promise<{ asked: number; strange: string[] }>;
} {
  const stopping = new AbortController();
  const asker = makeAsker(home.system.urls['j-prime'], ASKING_AT_ONCE);
  const times = new Map<string, number>();
  let asked = 0;
  const worker = async (n: number): Promise<void> => {
    for (let i = 0; !stopping.signal.aborted; i += 1) {
      const who = await asker.ask(TEXT, `bystander-${n}-${i}`).then(
        ({ status, body }) => (status === 200 ? body.version : JSON.stringify(body)),
        (error: Error) => error.message,
      );
      times.set(who, (times.get(who) ?? 0) + 1);
      asked += 1;
    }
  };
  const workers = Array.from({ length: ASKING_AT_ONCE }, (_, n) => worker(n));
  return {
    stop: async (expected) => {
      stopping.abort();
      await Promise.all(workers);
      asker.close();
      const strange = [...times].filter(([who]) => !expected.includes(who));
      return { asked, strange: strange.map(([who, count]) => `${count} times ${who}`) };
    },
  };
}

/** A byte of J-Prime's own copy is flipped before a start: with Reactor Core there, and with it away. */
export async function refuseCached(options: {
  home: Home;
  stable: { version: string; digest: string };
  startPrime: () => Promise<{ stop: () => Promise<void> }>;
}): Promise<Found> {
  const { home, stable } = options;
  await makeStable(home, stable.version);
  const cached = join(home.system.home, 'j-prime', 'artifacts', stable.digest, GRAPH_FILE);
  const good = await readFile(cached);
  const problems: string[] = [];
  await flip(cached);
  process.kill((await home.system.pidOf('j-prime')) ?? Number.NaN, 'SIGKILL');
  const first = await firstAnswer(home);
  if (first !== stable.version) problems.push(`${first} answered first`);
  if (!(await readFile(cached)).equals(good)) problems.push('the copy is not mended');
  await home.killAll();
  await flip(cached);
  const prime = await options.startPrime();
  const asker = makeAsker(home.system.urls['j-prime'], 1);
  const alone = (await asker.ask(TEXT)).body as unknown as { code?: string };
  if (alone.code !== 'no_version') problems.push(`without Reactor Core: ${JSON.stringify(alone)}`);
  await prime.stop();
  asker.close();
  await home.up();
  const again = await firstAnswer(home);
  if (again !== stable.version) problems.push(`${again} answered after the start`);
  const logs = await promisify(execFile)('grep', [
    '-rhoa',
    'the cached artifact is damaged[^"]*',
    home.system.home,
  ]);
  const logged = logs.stdout.trim().split('\n').length;
  return {
    title: "A byte flipped in J-Prime's own copy",
    rows: [
      ['with Reactor Core there', `fetched again, mended, and ${first} answers`],
      ['with Reactor Core away', `${alone.code ?? 'answered'} until it is back, then ${again}`],
      ['lines of the log that say so', logged],
    ],
    problems,
  };
}

/** The first answer that is one. */
async function firstAnswer(home: Home): Promise<string> {
  return until(
    'J-Prime to answer',
    async () => {
      const asker = makeAsker(home.system.urls['j-prime'], 1);
      const answer = await asker.ask(TEXT).catch(() => null);
      asker.close();
      return answer?.status === 200 ? answer.body.version : null;
    },
    60_000,
  );
}

async function digestOf({ folder, file }: Fresh): Promise<string> {
  const manifest = modelManifestSchema.parse(
    JSON.parse(await readFile(join(folder, MODEL_MANIFEST_FILE), 'utf8')),
  );
  return manifest.files[file]?.sha256 ?? '';
}

/** One byte in the middle; done twice it is as before. */
async function flip(path: string): Promise<void> {
  const bytes = await readFile(path);
  const at = bytes.byteLength >> 1;
  bytes[at] = (bytes[at] ?? 0) ^ 0xff;
  await writeFile(path, bytes);
}
