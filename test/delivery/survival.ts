// A rollout, and `kill -9` of the supervisor and all three services at one of its states; started again it goes on to the
// end that it would have had, and the judge has heard of each request and each failure once, as the clients count them.
import { join } from 'node:path';
import type { Deployment } from '@jarvis/contracts';
import { type JudgeEvidence, observe, readGuards, sessionUnit, startJudge } from '@jarvis/policy';
import { until } from '@jarvis/testkit';
import { type Asker, makeAsker } from './asking.ts';
import type { Found } from './found.ts';
import {
  candidateOf,
  deploy,
  deploymentOf,
  type Home,
  makeStable,
  STEP_REQUESTS,
  STEPS,
  untilState,
} from './home.ts';
import { storedRows } from '../stored-rows.ts';
import { storedRequests } from './outbox.ts';
import { TEXT, TRIP_WORD } from './versions.ts';

/** Sent at the step of the kill: heard by the judge before it; then stored by J-Prime, while the judge does not answer. */
interface Mix {
  readonly heard: number;
  readonly failuresHeard: number;
  readonly stored: number;
  readonly failuresStored: number;
}
const USUAL: Mix = { heard: 8, failuresHeard: 1, stored: 5, failuresStored: 1 };
/** After 20 requests of the last step it is promoted, so that more of them have to fail. */
const AT_THE_LAST_STEP: Mix = { heard: 2, failuresHeard: 4, stored: 1, failuresStored: 2 };
const PEOPLE = 2_000;
const FAILURES_MAX = 40;
const LIMIT_MS = 90_000;
const TRIPPING = `${TEXT} ${TRIP_WORD}`;
/** As the defaults of ROLLOUT_ALPHA and ROLLBACK_ON_ERROR_RATE are. */
const JUDGE = { alpha: 0.05, failureLimit: 0.05 } as const;
const EVIDENCE_TOLERANCE = 1e-9;
const PAUSED_LOOK_MS = 1_000;

/** `step 1` is the first weight. The kills of holding and paused happen at the second. */
export const KILL_STATES = [
  'gating',
  'step 1',
  'step 2',
  'step 3',
  'step 4',
  'step 5',
  'holding',
  'paused',
] as const;
export type KillState = (typeof KILL_STATES)[number];

export interface SurvivalOptions {
  readonly home: Home;
  readonly stable: string;
  readonly candidate: string;
  /** Whether the candidate fails at texts with the word. */
  readonly isBad: boolean;
  readonly killAt: KillState;
  readonly say: (line: string) => void;
}

interface Sent {
  /** Requests of the candidate, by step. */
  readonly requests: number[];
  failures: number;
}

class Rollout {
  readonly sent: Sent = { requests: STEPS.map(() => 0), failures: 0 };
  readonly #home: Home;
  readonly #id: string;
  /** By step: they meet the candidate from its weight on, and not before. */
  readonly #people: readonly (readonly string[])[];
  #asked = 0;

  constructor(home: Home, id: string, salt: string) {
    this.#home = home;
    this.#id = id;
    const everybody = Array.from({ length: PEOPLE }, (_, n) => `person-${n}`);
    this.#people = STEPS.map((percent, step) =>
      everybody.filter((name) => {
        const unit = 100 * sessionUnit(name, salt);
        return unit < percent && unit >= (STEPS[step - 1] ?? 0);
      }),
    );
  }

  get total(): number {
    return this.sent.requests.reduce((sum, n) => sum + n, 0);
  }

  /** Sends until so many of the candidate's requests were served at this step. */
  async sendUntil(step: number, count: number): Promise<void> {
    const asker = this.#asker();
    await until(
      `${count} requests at step ${step + 1}`,
      async () => {
        // J-Prime may be at the step before, or its candidate not ready.
        while ((this.sent.requests[step] ?? 0) < count)
          if (!(await this.#one(asker, step, TEXT))) return false;
        return true;
      },
      LIMIT_MS,
    ).finally(() => asker.close());
  }

  async fail(times: number): Promise<void> {
    const asker = this.#asker();
    for (let n = 0; n < times; n += 1)
      await until('a failure', () => this.#one(asker, 0, TRIPPING), LIMIT_MS);
    asker.close();
  }

  /** Until the judge has heard of all. */
  async untilJudged(): Promise<Deployment> {
    let last: Deployment | null = null;
    return until(
      () => `the judge to have heard of ${JSON.stringify(this.sent)}, but ${JSON.stringify(last)}`,
      async () => {
        last = await deploymentOf(this.#home, this.#id);
        return requestsOf(last) >= this.total ? last : null;
      },
      LIMIT_MS,
    );
  }

  #asker(): Asker {
    return makeAsker(this.#home.system.urls['j-prime'], 1);
  }

  /** Whether it was the candidate's; one that it fails is answered by the stable version. */
  async #one(asker: Asker, band: number, text: string): Promise<boolean> {
    const people = this.#people[band] ?? [];
    // Always the same person is unlucky: a session's first error counts in the share, so the limit alone is broken.
    const session = people[text === TRIPPING ? 0 : (this.#asked += 1) % people.length];
    const { status, body } = await asker.ask(text, session);
    if (status !== 200) throw new Error(`${status} ${JSON.stringify(body)}`);
    if (body.rollout?.deployment_id !== this.#id || body.rollout.weight === 0) return false;
    if (text !== TRIPPING && body.arm === 'stable') return false;
    if (text === TRIPPING && body.arm === 'candidate') throw new Error(`${body.version} did not fail`);
    const step = STEPS.findIndex((percent) => percent / 100 === body.rollout?.weight);
    this.sent.requests[step] = (this.sent.requests[step] ?? 0) + 1;
    if (text === TRIPPING) this.sent.failures += 1;
    return true;
  }
}

export async function survive(options: SurvivalOptions): Promise<Found> {
  const { home, stable, candidate, isBad, killAt, say } = options;
  await makeStable(home, stable);
  const id = await deploy(home, candidate);
  if (killAt === 'gating') await killAndStart(home, id, 'gating');
  const { salt } = await candidateOf(home, id);
  const rollout = new Rollout(home, id, salt);
  const at = killAt.startsWith('step') ? Number(killAt.at(-1)) - 1 : 1;
  let ended: Deployment | null = null;
  for (const step of STEPS.keys()) {
    if (killAt !== 'gating' && step === at) {
      await interrupt(options, id, rollout, step);
      if (isBad) ended = await failToTheEnd(home, id, rollout);
      if (ended !== null) break;
    }
    await rollout.sendUntil(step, STEP_REQUESTS);
  }
  ended ??= await untilState(home, id, 'promoted', 'rolled_back');
  say(`${killAt}, ${isBad ? 'bad' : 'good'}: ${ended.state}: ${ended.reason}`);
  return {
    title: `${isBad ? 'A bad' : 'A good'} candidate, everything killed at ${killAt}`,
    rows: [
      ['it was', `${ended.state}: ${ended.reason}`],
      ['requests by step, as the clients count', rollout.sent.requests.join(', ')],
      ['as the judge does', ended.steps.map((s) => s.requests).join(', ')],
    ],
    problems: faults(ended, { isBad, sent: rollout.sent }),
  };
}

/** Some of the step's requests are heard, some stored and not heard; then everything dies. */
async function interrupt(
  { home, isBad, killAt }: SurvivalOptions,
  id: string,
  rollout: Rollout,
  step: number,
): Promise<void> {
  const mix = isBad && step === STEPS.length - 1 ? AT_THE_LAST_STEP : USUAL;
  await rollout.sendUntil(step, mix.heard);
  if (isBad) await rollout.fail(mix.failuresHeard);
  await rollout.untilJudged();
  if (killAt === 'holding') await untilState(home, id, 'holding');
  if (killAt === 'paused') await home.call('reactor-core', `POST /api/deployments/${id}/pause`);
  const judged = rollout.total;
  const reactor = (await home.system.pidOf('reactor-core')) ?? Number.NaN;
  process.kill(reactor, 'SIGSTOP');
  await rollout.sendUntil(step, (rollout.sent.requests[step] ?? 0) + mix.stored);
  if (isBad) await rollout.fail(mix.failuresStored);
  await until(
    'J-Prime to have stored them',
    () => storedRequests(home.system.home, id) === rollout.total - judged,
    LIMIT_MS,
  );
  await home.loseReceipt();
  await killAndStart(home, id, killAt === 'holding' || killAt === 'paused' ? killAt : null);
  await rollout.untilJudged();
  // What was stored is taken, its receipt lost, and all of it is sent again.
  await until('J-Prime to have its receipt', () => storedRequests(home.system.home, id) === 0, LIMIT_MS);
  if (!home.receiptWasLost()) throw new Error('no receipt was lost');
  if (killAt !== 'paused') return;
  await new Promise((resolve) => setTimeout(resolve, PAUSED_LOOK_MS));
  const { state } = await deploymentOf(home, id);
  if (state !== 'paused') throw new Error(`it is ${state}, and nobody let it go on`);
  await home.call('reactor-core', `POST /api/deployments/${id}/resume`);
}

/** @param state in which it has to be when everything dies; null: whichever */
async function killAndStart(home: Home, id: string, state: Deployment['state'] | null): Promise<void> {
  const db = (): Deployment['state'] => String(look(home, id)['state']) as Deployment['state'];
  await home.killAll();
  const found = db();
  if (state !== null && found !== state)
    throw new Error(`it was ${found} when everything died, not ${state}`);
  await home.up();
}

/** One failure after the other, each judged before the next. */
async function failToTheEnd(home: Home, id: string, rollout: Rollout): Promise<Deployment> {
  for (let n = 0; n < FAILURES_MAX; n += 1) {
    await rollout.fail(1);
    await rollout.untilJudged();
    const before = performance.now();
    // The look of the judge after the evidence is taken.
    while (performance.now() - before < 400) {
      const now = await deploymentOf(home, id);
      if (now.ended_at !== null) return now;
    }
  }
  throw new Error(`${FAILURES_MAX} failures, and it goes on`);
}

function faults(ended: Deployment, { isBad, sent }: { isBad: boolean; sent: Sent }): string[] {
  const problems: string[] = [];
  const wanted = isBad ? 'rolled_back' : 'promoted';
  if (ended.state !== wanted) problems.push(`${ended.state}, not ${wanted}`);
  const judged = ended.steps.map((step) => step.requests);
  const counted = sent.requests.slice(0, judged.length);
  if (judged.join() !== counted.join())
    problems.push(`the judge heard of ${judged.join()}, sent were ${sent.requests.join()}`);
  const total = counted.reduce((sum, n) => sum + n, 0);
  if (isBad && !ended.reason.startsWith(`${sent.failures} of ${total} requests to `))
    problems.push(`${sent.failures} of ${total} failed, and it says ${ended.reason}`);
  const limit = guardOf(ended, 'failure_limit');
  const expected = expectedGuard(sent);
  if (Math.abs(limit - expected) > EVIDENCE_TOLERANCE * expected)
    problems.push(`evidence ${limit}, of what the clients count ${expected}`);
  return problems;
}

/** What the clients count, judged here. */
function expectedGuard({ requests, failures }: Sent): number {
  const counts = requests.map((count, step): JudgeEvidence => ({
    kind: 'requests',
    arm: 'candidate',
    count,
    step,
  }));
  const failed: JudgeEvidence = { kind: 'failed', arm: 'candidate', weight: 0.1, firstOfSession: false };
  const all = [...counts, ...Array.from({ length: failures }, () => failed)];
  const state = all.reduce(observe, startJudge(JUDGE));
  return readGuards(state).find(({ guard }) => guard === 'failure_limit')?.evidence ?? Number.NaN;
}

function guardOf(deployment: Deployment, name: string): number {
  return deployment.guards.find(({ guard }) => guard === name)?.evidence ?? Number.NaN;
}

function requestsOf(deployment: Deployment): number {
  return deployment.steps.reduce((sum, step) => sum + step.requests, 0);
}

function look(home: Home, id: string): Record<string, unknown> {
  const file = join(home.system.home, 'reactor-core', 'reactor-core.db');
  return storedRows(file, `SELECT state FROM deployments WHERE deployment_id = '${id}'`)[0] ?? {};
}
