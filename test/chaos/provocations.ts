// What people do that a healthy machine seldom sees: requests that are called off or hung up on, holders that fall silent,
// wishes for more memory than there is, files that break, trainers that tell too much, starts with nothing to learn from.
import {
  type Budget,
  type Deployment,
  type Job,
  type Lock,
  type ModelVersion,
  slotLockName,
} from '@jarvis/contracts';
import { damaged } from './damage.ts';
import { getJson } from './system.ts';
import { type Answer, batch, GAVE_UP, loop, nameOf, pause, pick, post, type World } from './world.ts';

const CALL_OFF_EVERY_MS = 1_500;
const HANG_UP_EVERY_MS = 700;
/** Less often than a silent lease lasts: J-Prime has its memory back once nobody has a lease. */
const SILENT_EVERY_MS = 20_000;
const TOO_MUCH_EVERY_MS = 4_000;
const ALL_THERE_IS_EVERY_MS = 20_000;
const IN_VAIN_EVERY_MS = 3_000;
const BABBLE_EVERY_MS = 3_000;
const SPOIL_EVERY_MS = 500;
const PAUSE_EVERY_MS = 15_000;
const PAUSED_MS_MAX = 4_000;
const NAME_EVERY_MS = 3_000;
const CHAT_EVERY_MS = 10_000;
const LOOK_EVERY_MS = 200;
/** How many ask at once, each for a lock of its own. */
const HANGING_UP = 4;
/** Longer than a grant takes. */
const HANG_UP_AFTER_MS_MAX = 12;
const LOCK_TTL_SECONDS = 3;
const WAIT_SECONDS = 10;
const SMALL_BYTES = 1024 ** 2;
/** More progress than is told; see `small-trainer.ts`. */
const BABBLING_EPOCHS = 2_000;
const SPOILED_TRAINING_MS_MAX = 60_000;
const SPOILED_SEEN_MS_MAX = 30_000;

/** A loop for each of these people; they go home as all others do. */
export function provocations(world: World): Promise<void>[] {
  return [
    loop(world, CALL_OFF_EVERY_MS, callOffRequest),
    loop(world, HANG_UP_EVERY_MS, hangUp),
    loop(world, SILENT_EVERY_MS, fallSilent),
    loop(world, TOO_MUCH_EVERY_MS, askForTooMuch),
    loop(world, ALL_THERE_IS_EVERY_MS, askForAllThereIs),
    loop(world, IN_VAIN_EVERY_MS, startInVain),
    loop(world, BABBLE_EVERY_MS, babble),
    loop(world, SPOIL_EVERY_MS, spoilVersion),
    loop(world, PAUSE_EVERY_MS, pauseTraining),
    loop(world, NAME_EVERY_MS, nameVersion),
    loop(world, NAME_EVERY_MS, sendBack),
    loop(world, CHAT_EVERY_MS, chat),
  ];
}

const core = (world: World, path: string): string => `${world.system.urls['jarvis-core']}${path}`;
const reactor = (world: World, path: string): string => `${world.system.urls['reactor-core']}${path}`;

/** Somebody waits for a lock that is held, and calls that off: then nothing may hold it in that name. */
async function callOffRequest(world: World): Promise<void> {
  const name = nameOf(world, 'door');
  const [first, second] = [nameOf(world, 'first'), nameOf(world, 'second')];
  const lock = core(world, `/api/locks/${name}`);
  const held = await post(
    `${lock}/acquire`,
    { holder: first, ttl_seconds: LOCK_TTL_SECONDS },
    {},
    world.ended,
  );
  if (held.status !== 200) return;
  const waits = new AbortController();
  const asked = { holder: second, request_id: second, wait_seconds: WAIT_SECONDS };
  const waiting = askOnce(`${lock}/acquire`, asked, waits.signal);
  await pause(world.random.unit() * HANG_UP_AFTER_MS_MAX);
  const answer = await post(`${lock}/cancel`, { request_id: second }, {}, world.ended);
  if (answer.status !== GAVE_UP && answer.status !== 200)
    throw new Error(`a request could not be called off: ${JSON.stringify(answer)}`);
  waits.abort();
  await waiting;
  const locks = await getJson<{ locks: Lock[] }>(core(world, '/api/locks'));
  if (answer.status === 200 && locks?.locks.some((l) => l.name === name && l.holder === second) === true)
    throw new Error(`${second} called its request off and holds ${name}`);
  await post(`${lock}/release`, { holder: first, token: held.body['token'] }, {}, world.ended);
}

/** Some ask for a lock that is free, hang up about when it is granted, and make sure afterwards that they do not have it. */
async function hangUp(world: World): Promise<void> {
  await Promise.all(
    Array.from({ length: HANGING_UP }, async () => {
      const holder = nameOf(world, 'fickle');
      const lock = core(world, `/api/locks/gate-${holder}`);
      const body = { holder, request_id: holder, ttl_seconds: LOCK_TTL_SECONDS, wait_seconds: WAIT_SECONDS };
      const hungUp = AbortSignal.timeout(Math.ceil(world.random.unit() * HANG_UP_AFTER_MS_MAX));
      await askOnce(`${lock}/acquire`, body, hungUp);
      // Answered like any other call: who only ever hung up would ask for more than a slow machine can do.
      await post(`${lock}/cancel`, { request_id: holder }, {}, world.ended);
    }),
  );
}

/** Whatever comes of it. */
async function askOnce(url: string, body: unknown, signal: AbortSignal, method = 'POST'): Promise<void> {
  const sent =
    body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
  const asked = { method, ...sent, signal };
  await fetch(url, asked)
    .then((response) => response.arrayBuffer())
    .catch(() => undefined);
}

function askForMemory(world: World, bytes: number): Promise<Answer> {
  const holder = nameOf(world, 'outside');
  const body = { holder, model_type: 'voice', need: { ram_bytes: bytes, vram_bytes: {} }, why: 'outside' };
  return post(core(world, '/api/leases'), body, {}, world.ended);
}

/** What trains stops at a checkpoint; what nobody of the queue asked for is asked to. */
async function pauseTraining(world: World): Promise<void> {
  await post(core(world, '/api/training/pause'), { reason: 'a film' }, {}, world.ended);
  await pause(world.random.unit() * PAUSED_MS_MAX);
  // Answered in any case: nobody trains while it is not.
  await post(core(world, '/api/training/resume'), {});
}

/** What is served gets a name, which is forgotten again. */
async function nameVersion(world: World): Promise<void> {
  const url = reactor(world, '/api/models/nlu/aliases/night');
  await askOnce(url, { version: 'stable' }, world.ended, 'PUT');
  await askOnce(url, undefined, world.ended, 'DELETE');
}

/** What is served is exported and comes back as an import: it is there already. */
async function sendBack(world: World): Promise<void> {
  const from = await fetch(reactor(world, '/api/models/nlu/versions/stable/export'), {
    signal: world.ended,
  }).catch(() => null);
  const body = from?.ok === true ? await from.arrayBuffer().catch(() => null) : null;
  if (body === null) return;
  const headers = { 'content-type': 'application/x-tar' };
  const asked = { method: 'POST', headers, body, signal: world.ended };
  await fetch(reactor(world, '/api/models/nlu/import'), asked)
    .then((response) => response.arrayBuffer())
    .catch(() => undefined);
}

/** Somebody wants the LLM, which is loaded for it; sent away is an answer. */
async function chat(world: World): Promise<void> {
  const url = `${world.system.urls['j-prime']}/v1/chat/completions`;
  await askOnce(url, { model: 'fixture', messages: [{ role: 'user', content: 'hello' }] }, world.ended);
}

/** Is given a little memory and never heard of again. */
async function fallSilent(world: World): Promise<void> {
  await askForMemory(world, SMALL_BYTES);
}

async function askForTooMuch(world: World): Promise<void> {
  const budget = await getJson<Budget>(core(world, '/api/resources'));
  if (budget !== null && budget.budget_bytes > 0) await askForMemory(world, budget.budget_bytes);
}

/** What could be given if nobody else had any: J-Prime is asked to make room, it does not suffice, and who asked is silent. */
async function askForAllThereIs(world: World): Promise<void> {
  const budget = await getJson<Budget>(core(world, '/api/resources'));
  if (budget !== null && budget.budget_bytes > 0)
    await askForMemory(world, budget.budget_bytes - budget.safety_bytes);
}

/** Somebody who has the slot by its lock starts a training with nothing to learn from, and gives the slot back. */
async function startInVain(world: World): Promise<void> {
  const lock = core(world, `/api/locks/${encodeURIComponent(slotLockName(0))}`);
  const holder = nameOf(world, 'in-vain');
  let held = await post(`${lock}/acquire`, { holder }, {}, world.ended);
  while (held.status === 409) {
    await pause(LOOK_EVERY_MS);
    held = await post(`${lock}/acquire`, { holder }, {}, world.ended);
  }
  if (held.status === GAVE_UP) return;
  const { token } = held.body;
  const body = {
    job_id: holder,
    model_type: 'voice',
    experiences: batch(world, 'nlu'),
    epochs: 2,
    fencing_token: token,
    slot: 0,
  };
  const { status } = await post(reactor(world, '/api/training/start'), body, {}, world.ended);
  if (status === 200) throw new Error(`${holder} trains, and there is nothing to learn from`);
  await post(`${lock}/release`, { holder, token });
}

/** A training that tells more than is passed on. */
async function babble(world: World): Promise<void> {
  const body = {
    job_id: nameOf(world, 'own-babbler'),
    model_type: 'voice',
    experiences: batch(world, 'voice'),
    epochs: BABBLING_EPOCHS,
    checkpoint_enabled: false,
  };
  const { status } = await post(reactor(world, '/api/training/start'), body, {}, world.ended);
  if (status === 200) world.account.ownRuns.push(body.job_id);
  else if (status !== GAVE_UP) throw new Error(`a run that babbles was refused with ${status}`);
}

/**
 * A version is deployed of which a file has been damaged in the registry: either the gate cannot score it, or the gate
 * can, and J-Prime does not serve what is not what its digest says. The file is mended when that has been seen.
 */
async function spoilVersion(world: World): Promise<void> {
  const version = await trainNlu(world);
  if (version === null) return;
  const how = pick(world.random, ['unreadable', 'longer'] as const);
  await world.registry.run(() =>
    damaged(world.system.home, version.digest, how, async () => {
      const body = { model_type: 'nlu', model_version: version.version };
      const { status, body: answer } = await post(
        reactor(world, '/api/models/deploy'),
        body,
        {},
        world.ended,
      );
      if (status === GAVE_UP) return;
      const url = reactor(world, `/api/deployments/${String(answer['deployment_id'])}`);
      await within(world, SPOILED_SEEN_MS_MAX, async () => {
        const deployment = await getJson<Deployment>(url);
        return deployment !== null && isSeen(deployment) ? deployment : null;
      });
    }),
  );
}

function isSeen({ state, reason }: Deployment): boolean {
  if (state === 'gating') return reason.includes('could not score');
  return state !== 'rolling' && state !== 'holding' && state !== 'paused';
}

/** A version that nobody has asked to deploy. */
async function trainNlu(world: World): Promise<ModelVersion | null> {
  const name = nameOf(world, 'spoiled-nlu');
  const body = { job_id: name, model_type: 'nlu', priority: 'critical', epochs: 2, auto_deploy: false };
  const { status, body: answer } = await post(core(world, '/api/jobs'), body, {}, world.ended);
  if (status !== 200) return null;
  const { job_id: jobId } = answer['job'] as Job;
  world.account.jobs.push(jobId);
  return within(world, SPOILED_TRAINING_MS_MAX, async () => {
    const known = await getJson<{ versions: ModelVersion[] }>(reactor(world, '/api/models/nlu/versions'));
    return known?.versions.find((v) => v.job_id === jobId) ?? null;
  });
}

/** Null when it does not come in time, or the people go home. */
async function within<T>(world: World, limitMs: number, look: () => Promise<T | null>): Promise<T | null> {
  const over = AbortSignal.any([world.ended, AbortSignal.timeout(limitMs)]);
  while (!over.aborted) {
    const found = await look();
    if (found !== null) return found;
    await pause(LOOK_EVERY_MS);
  }
  return null;
}
