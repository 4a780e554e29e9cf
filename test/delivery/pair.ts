// Two J-Primes follow one Reactor Core: a session meets the same version at both, the evidence of both counts, and both
// start and serve from their own copies while Reactor Core is away.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Deployment } from '@jarvis/contracts';
import { freePort, until } from '@jarvis/testkit';
import { type Asker, inParallel, makeAsker } from './asking.ts';
import { type Found, some } from './found.ts';
import { deploymentOf, type Home, makeStable } from './home.ts';
import { storedRequests } from './outbox.ts';
import { type PrimeAlone, startPrime } from './prime-alone.ts';
import { TEXT } from './versions.ts';

const CONNECTIONS = 16;
const READY_LIMIT_MS = 60_000;
const HALF = 50;

export interface PairOptions {
  readonly home: Home;
  readonly folder: string;
  readonly stable: string;
  readonly candidate: string;
  readonly sessions: number;
  /** Whether both are started anew while Reactor Core is away, and asked again. */
  readonly away: boolean;
  readonly say: (line: string) => void;
}

export async function servePair(options: PairOptions): Promise<Found> {
  const { home, folder, stable, candidate, say } = options;
  await makeStable(home, stable);
  const cwd = join(folder, 'second');
  await mkdir(cwd, { recursive: true });
  const environment = {
    JARVIS_HOME: join(cwd, 'home'),
    JARVIS_PRIME_PORT: String(await freePort()),
    REACTOR_CORE_API_URL: home.system.urls['reactor-core'],
    JARVIS_CORE_API_URL: home.system.urls['jarvis-core'],
  };
  let second = await startPrime(cwd, environment);
  const urls = [home.system.urls['j-prime'], second.url] as const;
  const askers = urls.map((url) => makeAsker(url, CONNECTIONS));
  const pair = new Pair(askers, options);
  let first: PrimeAlone | null = null;
  try {
    const id = await halfWay(home, candidate);
    await pair.untilReady(id);
    await pair.askBoth('both there');
    // What it has served within one EVIDENCE_FLUSH_INTERVAL a J-Prime holds in memory alone; a kill loses that.
    const heard = await pair.judged(id);
    if (options.away) {
      await home.killAll();
      await second.stop();
      second = await startPrime(cwd, environment);
      first = await startPrime(folder, home.environment);
      await pair.untilReady(id);
      await pair.askBoth('Reactor Core away');
      const homes = [home.system.home, environment.JARVIS_HOME];
      await until('both to have stored what they served', () => {
        const waiting = homes.reduce((sum, one) => sum + storedRequests(one, id), 0);
        return heard + waiting === pair.candidates;
      });
      await first.stop();
      first = null;
      await home.up();
    }
    say(`evidence of ${pair.candidates} requests of the candidate, ${pair.candidatesAway} while it was away`);
    const judged = await pair.judged(id);
    await home.call('reactor-core', `POST /api/deployments/${id}/abort`);
    return {
      title: 'Two J-Primes on the same routes',
      rows: [
        ['sessions', options.sessions],
        ['of the candidate: answers of both, as their clients count', pair.candidates],
        ['of these while Reactor Core was away, from the copies of both', pair.candidatesAway],
        ['of these the judge has heard', judged],
      ],
      problems: [
        ...pair.problems,
        ...(judged === pair.candidates ? [] : [`the judge heard of ${judged} of ${pair.candidates}`]),
      ],
    };
  } finally {
    for (const asker of askers) asker.close();
    await first?.stop();
    await second.stop();
  }
}

/** A rollout that stays at half of the sessions. */
async function halfWay(home: Home, version: string): Promise<string> {
  const body = {
    model_type: 'nlu',
    model_version: version,
    config: { rollout_steps: [HALF, 100], initial_percentage: HALF },
  };
  const { deployment_id: id } = await home.call<{ deployment_id: string }>(
    'reactor-core',
    'POST /api/models/deploy',
    body,
  );
  await until('it to roll', async () => (await deploymentOf(home, id)).state !== 'gating');
  await home.call('reactor-core', `POST /api/deployments/${id}/pause`);
  return id;
}

class Pair {
  /** Answers of the candidate, from both. */
  candidates = 0;
  candidatesAway = 0;
  readonly problems: string[] = [];
  readonly #askers: readonly Asker[];
  readonly #options: PairOptions;

  constructor(askers: readonly Asker[], options: PairOptions) {
    this.#askers = askers;
    this.#options = options;
  }

  /** Each look is a request, and counts. */
  async untilReady(id: string): Promise<void> {
    for (const asker of this.#askers)
      await until(
        'both to have the candidate ready',
        async () => {
          const answer = await asker.ask(TEXT, 'a look').catch(() => null);
          if (answer?.status !== 200) return false;
          if (answer.body.arm === 'candidate') this.candidates += 1;
          return answer.body.rollout?.deployment_id === id && answer.body.rollout.weight === HALF / 100;
        },
        READY_LIMIT_MS,
      );
  }

  async askBoth(when: string): Promise<void> {
    const differing: string[] = [];
    const arms = { stable: 0, candidate: 0 };
    const names = Array.from({ length: this.#options.sessions }, (_, n) => `person-${n}`);
    await inParallel(names, CONNECTIONS, async (name) => {
      const [one, two] = await Promise.all(this.#askers.map((asker) => asker.ask(TEXT, name)));
      if (one?.status !== 200 || two?.status !== 200)
        return void differing.push(`${name}: ${one?.status}, ${two?.status}`);
      if (one.body.version !== two.body.version || one.body.confidence !== two.body.confidence)
        differing.push(`${name}: ${one.body.version}, ${two.body.version}`);
      for (const { body } of [one, two]) arms[body.arm] += 1;
    });
    this.candidates += arms.candidate;
    if (when !== 'both there') this.candidatesAway += arms.candidate;
    this.problems.push(...some(`differ, ${when}`, differing));
    if (arms.candidate === 0 || arms.stable === 0) this.problems.push(`${when}: ${JSON.stringify(arms)}`);
  }

  /** What the judge has heard once that has stood still, or is as much as there was. */
  async judged(id: string): Promise<number> {
    const heard = async (): Promise<number> => requestsOf(await deploymentOf(this.#options.home, id));
    return until('the judge to have heard', async () => {
      const now = await heard();
      return now >= this.candidates ? now : null;
    }).catch(heard);
  }
}

function requestsOf(deployment: Deployment): number {
  return deployment.steps.reduce((sum, step) => sum + step.requests, 0);
}
