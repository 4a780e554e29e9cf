// What the three days bring, drawn from the pool.
//
//   pool    |-- three tenths --|------------ rest ------------|
//   day 1    said by people who repeat themselves: as many commands as day 2 has, all from these
//   day 2                   each once
//   day 3   the whole pool as an import, in which some intents carry another one's label
//
// Days 1 and 2 bring equally many experiences, so one threshold of the trigger is reached by the last of each day and
// not before; day 3 brings more, and its last batch reaches it.
import { type Experience, MAX_EXPERIENCES_PER_BATCH, OUT_OF_SCOPE_INTENT } from '@jarvis/contracts';
import type { Utterance } from './data-set.ts';
import type { Seeded } from './seeded.ts';

export interface DayPlan {
  readonly first: readonly Utterance[];
  readonly second: readonly Utterance[];
  /** Experiences in each of the two days: TRAINING_MIN_NEW_EXPERIENCES. */
  readonly threshold: number;
}

const FIRST_DAY_SHARE = 0.3;
const POISONED_SHARE = 0.3;
const SESSION_COMMANDS_MAX = 4;

export function planDays(pool: readonly Utterance[], random: Seeded): DayPlan {
  const shuffled = random.fork('days').shuffled(pool);
  const known = shuffled.slice(0, Math.round(pool.length * FIRST_DAY_SHARE));
  const second = shuffled.slice(known.length);
  return { first: repeated(known, second.length, random.fork('repeats')), second, threshold: second.length };
}

/** `count` commands out of `known`: each of them before any comes again. */
function repeated(known: readonly Utterance[], count: number, random: Seeded): Utterance[] {
  const out: Utterance[] = [];
  while (out.length < count) out.push(...random.shuffled(known).slice(0, count - out.length));
  return out;
}

/** Cuts commands into sessions of one to four. */
export function sessionsOf(commands: readonly Utterance[], random: Seeded): Utterance[][] {
  const sessions: Utterance[][] = [];
  for (let at = 0; at < commands.length;) {
    const length = 1 + random.below(SESSION_COMMANDS_MAX);
    sessions.push(commands.slice(at, at + length));
    at += length;
  }
  return sessions;
}

/** Three in ten intents, each with the label of another one of them that it is to carry; nobody keeps its own. */
export function drawPoison(pool: readonly Utterance[], random: Seeded): ReadonlyMap<string, string> {
  const intents = [...new Set(pool.map((row) => row.label))]
    .filter((label) => label !== OUT_OF_SCOPE_INTENT)
    .sort();
  const count = Math.max(2, Math.round(intents.length * POISONED_SHARE));
  const ring = random.fork('poison').shuffled(intents).slice(0, count);
  return new Map(ring.map((label, i) => [label, ring[(i + 1) % ring.length] as string]));
}

/** The third day's import, in batches: all but the last stay below the threshold together. */
export function importBatches(
  pool: readonly Utterance[],
  labels: ReadonlyMap<string, string>,
  options: { readonly threshold: number; readonly random: Seeded },
): Experience[][] {
  const experiences = options.random
    .fork('import')
    .shuffled(pool)
    .map(({ text, label }): Experience => {
      return { type: 'command', input: { text }, expected_output: { intent: labels.get(label) ?? label } };
    });
  const below = Math.min(options.threshold - 1, experiences.length - 1);
  return [...chunks(experiences.slice(0, below)), ...chunks(experiences.slice(below))];
}

function chunks<T>(items: readonly T[]): T[][] {
  const out: T[][] = [];
  for (let at = 0; at < items.length; at += MAX_EXPERIENCES_PER_BATCH)
    out.push(items.slice(at, at + MAX_EXPERIENCES_PER_BATCH));
  return out;
}
