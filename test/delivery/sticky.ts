// Which sessions meet a candidate: their share at each weight, that none goes back to stable while the weight rises, and
// that a newer candidate takes the place of the older at once, with its sessions drawn anew.
import type { Deployment, PredictResponse } from '@jarvis/contracts';
import { assignArm, sessionUnit } from '@jarvis/policy';
import { until } from '@jarvis/testkit';
import { type Asker, inParallel, makeAsker } from './asking.ts';
import { binomialTail, FALSE_ALARM } from './binomial.ts';
import { type Found, some } from './found.ts';
import { type Candidate, candidateOf, deploy, type Home, makeStable, STEPS, untilState } from './home.ts';
import { TEXT } from './versions.ts';

const CONNECTIONS = 64;
/** Comparisons with a distribution in one run: the five weights, and those who meet both candidates of two. */
const COMPARISONS = STEPS.length + 1;
const READY_LIMIT_MS = 60_000;
/** So long people ask on once a newer candidate has come. */
const ASKED_AFTER_MS = 1_000;
/** Of the rollout that is superseded: 25 %. */
const SUPERSEDED_AT_STEP = 1;

export interface StickyOptions {
  readonly home: Home;
  readonly stable: string;
  readonly candidate: string;
  /** Comes during a rollout of the candidate. */
  readonly newer: string;
  readonly sessions: number;
  readonly say: (line: string) => void;
}

/** What a sweep over all sessions has seen. */
interface Sweep {
  readonly candidates: ReadonlySet<string>;
  readonly problems: readonly string[];
}

export async function shareSessions(options: StickyOptions): Promise<Found> {
  const { home, stable, sessions } = options;
  await makeStable(home, stable);
  const asker = makeAsker(home.system.urls['j-prime'], CONNECTIONS);
  const names = Array.from({ length: sessions }, (_, n) => `person-${n}`);
  try {
    const superseded = await supersede(options, asker, names);
    const risen = await rise(options, asker, names);
    return {
      title: 'Sessions stay with the version they met',
      rows: [['sessions', sessions], ...risen.rows, ...superseded.rows],
      problems: [...risen.problems, ...superseded.problems],
    };
  } finally {
    asker.close();
  }
}

/** From the first weight to promotion; paused at each for as long as all sessions are asked. */
async function rise(
  { home, candidate: version, say }: StickyOptions,
  asker: Asker,
  names: readonly string[],
): Promise<Omit<Found, 'title'>> {
  const id = await deploy(home, version);
  const rows: [string, string][] = [];
  const problems: string[] = [];
  let met: ReadonlySet<string> = new Set();
  for (const [step, percent] of STEPS.entries()) {
    await pauseAt(home, id, step);
    await untilWeight(asker, id, percent / 100);
    const routed = await candidateOf(home, id);
    const sweep = await ask({ asker, names, routed, version });
    const back = [...met].filter((name) => !sweep.candidates.has(name));
    const tail = binomialTail(sweep.candidates.size, names.length, percent / 100);
    rows.push([
      `${percent} %: sessions that met the candidate`,
      `${sweep.candidates.size}, tail ${tail.toPrecision(2)}; went back ${back.length}`,
    ]);
    problems.push(...sweep.problems, ...some(`went back to stable at ${percent} %`, back));
    if (tail < FALSE_ALARM / COMPARISONS) problems.push(`${sweep.candidates.size} sessions at ${percent} %`);
    met = sweep.candidates;
    say(`${percent} %: ${met.size} of ${names.length}`);
    await home.call('reactor-core', `POST /api/deployments/${id}/resume`);
  }
  const { state } = await untilState(home, id, 'promoted', 'rolled_back');
  if (state !== 'promoted') problems.push(`it was ${state}`);
  return { rows, problems };
}

/** The sweep's requests count, so that the next weight comes once it is resumed. */
async function pauseAt(home: Home, id: string, step: number): Promise<void> {
  await until(
    `step ${step}`,
    async () => {
      const deployment = await home.call<Deployment>('reactor-core', `GET /api/deployments/${id}`);
      return deployment.steps.length === step + 1;
    },
    READY_LIMIT_MS,
  );
  await home.call('reactor-core', `POST /api/deployments/${id}/pause`);
}

/** Until J-Prime has this weight, with its candidate ready. */
async function untilWeight(asker: Asker, id: string, weight: number): Promise<void> {
  await until(
    `${id} at ${weight}`,
    async () => {
      const { rollout } = (await asker.ask(TEXT, 'a look')).body;
      return rollout?.deployment_id === id && rollout.weight === weight;
    },
    READY_LIMIT_MS,
  );
}

/** Everybody once: who answered is who should have, by the salt and weight that are published. */
async function ask(of: {
  asker: Asker;
  names: readonly string[];
  routed: Candidate;
  version: string;
}): Promise<Sweep> {
  const { asker, names, routed, version } = of;
  const candidates = new Set<string>();
  const problems: string[] = [];
  await inParallel(names, CONNECTIONS, async (name) => {
    const { status, body } = await asker.ask(TEXT, name);
    if (status !== 200) return void problems.push(`${name}: ${status} ${JSON.stringify(body)}`);
    if (body.arm === 'candidate') candidates.add(name);
    problems.push(...misplaced(name, body, { routed, version }));
  });
  return { candidates, problems: some('answers that should not be', problems) };
}

function misplaced(
  name: string,
  body: PredictResponse,
  { routed, version }: { routed: Candidate; version: string },
): string[] {
  const arm = assignArm(sessionUnit(name, routed.salt), routed.weight);
  const isRight = body.arm === arm && (body.version === version) === (arm === 'candidate');
  const isOfRollout = body.rollout?.deployment_id === routed.deployment_id;
  return isRight && isOfRollout ? [] : [`${name} met ${body.version} as ${body.arm}, not ${arm}`];
}

/** A rollout at 25 %, everybody asking without a pause, and then the newer candidate. */
async function supersede(
  { home, stable, candidate, newer, say }: StickyOptions,
  asker: Asker,
  names: readonly string[],
): Promise<Omit<Found, 'title'>> {
  const older = await deploy(home, candidate);
  await untilWeight(asker, older, STEPS[0] / 100);
  // Enough requests of the candidate for the step to pass.
  const { salt } = await candidateOf(home, older);
  const early = names.filter((name) => sessionUnit(name, salt) < STEPS[0] / 100);
  await inParallel(
    Array.from({ length: 4 }, () => early)
      .flat()
      .slice(0, 40),
    8,
    async (name) => {
      await asker.ask(TEXT, name);
    },
  );
  await pauseAt(home, older, SUPERSEDED_AT_STEP);
  await untilWeight(asker, older, STEPS[SUPERSEDED_AT_STEP] / 100);
  const first = await ask({ asker, names, routed: await candidateOf(home, older), version: candidate });
  const asking = askOn(asker, names);
  let id = '';
  try {
    id = await deploy(home, newer);
    await untilWeight(asker, id, STEPS[0] / 100);
    await home.call('reactor-core', `POST /api/deployments/${id}/pause`);
    await new Promise((resolve) => setTimeout(resolve, ASKED_AFTER_MS));
  } finally {
    await asking.end();
  }
  const late = asking.told(id, candidate);
  const second = await ask({ asker, names, routed: await candidateOf(home, id), version: newer });
  const { state, reason } = await untilState(home, older, 'superseded');
  const both = [...second.candidates].filter((name) => first.candidates.has(name)).length;
  const chance = STEPS[0] / 100;
  const tail = binomialTail(both, first.candidates.size, chance);
  const { rolled_back_to: to } = await home.call<{ rolled_back_to: string }>(
    'reactor-core',
    'POST /api/models/rollback',
    { model_type: 'nlu' },
  );
  await makeStable(home, stable);
  say(`superseded: ${reason}; ${late.asked} requests meanwhile`);
  return {
    rows: [
      ['a newer candidate comes: the older is', `${state}: ${reason}`],
      ['requests while it comes; of the older one after the newer was seen', `${late.asked}; ${late.stale}`],
      [
        `drawn anew: of ${first.candidates.size} sessions of the older one the newer meets`,
        `${both}, ${(chance * 100).toFixed(0)} % expected, tail ${tail.toPrecision(2)}`,
      ],
    ],
    problems: [
      ...first.problems,
      ...second.problems,
      ...late.problems,
      ...(tail < FALSE_ALARM / COMPARISONS ? [`${both} sessions met both candidates`] : []),
      ...(to === stable ? [] : [`rolled back to ${to}, not ${stable}`]),
    ],
  };
}

interface Late {
  readonly asked: number;
  /** Requests that the older candidate answered although they began after J-Prime was seen with the newer. */
  readonly stale: number;
  readonly problems: readonly string[];
}

function askOn(
  asker: Asker,
  names: readonly string[],
): { end: () => Promise<void>; told: (id: string, older: string) => Late } {
  const stopping = new AbortController();
  const seen: { startMs: number; endMs: number; status: number; body: PredictResponse }[] = [];
  const worker = async (n: number): Promise<void> => {
    for (let i = n; !stopping.signal.aborted; i += 8) {
      const startMs = performance.now();
      const answer = await asker.ask(TEXT, names[i % names.length]);
      seen.push({ startMs, endMs: performance.now(), ...answer });
    }
  };
  const workers = Array.from({ length: 8 }, (_, n) => worker(n));
  return {
    end: async () => {
      stopping.abort();
      await Promise.all(workers);
    },
    told: (id, older) => {
      const isNewer = (s: (typeof seen)[number]): boolean => s.body.rollout?.deployment_id === id;
      const appliedMs = Math.min(...seen.filter(isNewer).map((s) => s.endMs));
      const after = seen.filter((s) => s.startMs > appliedMs);
      const stale = after.filter((s) => s.body.version === older || !isNewer(s)).length;
      const failed = seen.filter((s) => s.status !== 200).map((s) => `${s.status}`);
      return {
        asked: seen.length,
        stale,
        problems: [
          ...some('failed while the newer candidate came', failed),
          ...(stale === 0 ? [] : [`${stale} answers of the superseded candidate`]),
          ...(after.length === 0 ? ['nobody asked after the newer candidate had come'] : []),
        ],
      };
    },
  };
}
