// What all the people around the system share: what they know of it, how they call it, and what they tell it.
import type { Experience, ModelType } from '@jarvis/contracts';
import type { SeededRandom } from '@jarvis/testkit';
import type { System } from './system.ts';

const CALL_LIMIT_MS = 5_000;
const RETRY_MS = 100;
export const BATCH_ROWS = 5;
export const KINDS: readonly ModelType[] = ['voice', 'nlu', 'vision', 'embedding'];
export const INTENTS = ['lights_on', 'lights_off', 'set_timer', 'play_music'] as const;

export interface Account {
  /** Experiences that the system has taken on: acknowledged, or lying in the drop folder. */
  experiences: number;
  /** Names of jobs whose submission was acknowledged. */
  readonly jobs: string[];
  /** Names of runs that were started at Reactor Core. */
  readonly ownRuns: string[];
  /** Invariants that a service itself found broken. */
  readonly broken: string[];
  commands: number;
}

export interface World {
  readonly system: System;
  readonly random: SeededRandom;
  readonly account: Account;
  readonly ended: AbortSignal;
  names: number;
  /** Who sees so many asks for none himself. */
  readonly jobsWaitingMax: number;
  /** The registry as its invariants are judged: whoever damages a file there on purpose has it for that time. */
  readonly registry: Serial;
}

/** One thing after another. */
export class Serial {
  #tail: Promise<unknown> = Promise.resolve();

  run<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#tail.then(work);
    this.#tail = done.catch(() => undefined);
    return done;
  }
}

export async function loop(
  world: World,
  everyMs: number,
  act: (world: World) => Promise<void>,
): Promise<void> {
  while (!world.ended.aborted) {
    // One answer that is wrong ends neither the ordeal nor what this person goes on to ask for.
    await act(world).catch((error: unknown) => world.account.broken.push(String(error)));
    await pause(everyMs);
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

export interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

/** No status of HTTP: the people have gone home before anybody answered. */
export const GAVE_UP = 0;

/** Repeats until somebody answers with anything but "not now"; or, for what need not be done, until `ended`. */
export async function post(
  url: string,
  body: unknown,
  headers: Record<string, string> = {},
  ended?: AbortSignal,
): Promise<Answer> {
  for (;;) {
    if (ended?.aborted === true) return { status: GAVE_UP, body: {} };
    try {
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(CALL_LIMIT_MS),
      });
      const answer = { status: response.status, body: (await response.json()) as Record<string, unknown> };
      if (answer.status < 500) return answer;
    } catch {
      // Away, or gone in mid-reply: whether it was done is not known, so it is asked again.
    }
    await pause(RETRY_MS);
  }
}

export function nameOf(world: World, what: string): string {
  return `${what}-${(world.names += 1)}`;
}

export function pick<T>(random: SeededRandom, items: readonly T[]): T {
  return items[Math.floor(random.unit() * items.length)] as T;
}

function experience(world: World, kind: ModelType): Experience {
  const name = nameOf(world, 'thing');
  switch (kind) {
    case 'voice':
      return {
        type: 'voice_auth',
        input: { audio_embedding: [world.random.unit(), 1] },
        expected_output: { speaker: name },
      };
    case 'vision':
      return { type: 'vision', input: { image_base64: 'iVBORw0KGgo=' }, expected_output: { label: name } };
    case 'embedding':
      return { type: 'interaction', input: { a: name, b: 'other' }, expected_output: { score: 0.5 } };
    default:
      return {
        type: 'command',
        input: { text: `please do ${name}` },
        expected_output: { intent: pick(world.random, INTENTS) },
      };
  }
}

export function batch(world: World, kind: ModelType): Experience[] {
  return Array.from({ length: BATCH_ROWS }, () => experience(world, kind));
}
