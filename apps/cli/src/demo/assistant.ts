// The people of the demo: they say commands, judge the answers, complain; and an examiner who only asks.
import {
  commandResponseSchema,
  experiencesResponseSchema,
  type Experience,
  feedbackResponseSchema,
  predictResponseSchema,
} from '@jarvis/contracts';
import type { PatientClient } from './calls.ts';
import type { Utterance } from './data-set.ts';
import { sessionsOf } from './days.ts';
import type { Seeded } from './seeded.ts';

/** Sessions at a time. More would only queue: there are two cores to answer them. */
const SESSIONS_AT_ONCE = 8;

/** What was acknowledged: experiences that the system has to have. */
export interface Sent {
  experiences: number;
}

export interface AssistantOptions {
  readonly core: PatientClient;
  readonly sent: Sent;
  readonly random: Seeded;
  /** Makes session names unlike any before. */
  readonly name: string;
  readonly signal: AbortSignal;
}

/** A day: every command is judged, and where the answer was wrong the right one is told. */
export async function replayDay(
  commands: readonly Utterance[],
  options: AssistantOptions,
  onProgress: (done: number, wrong: number) => void,
): Promise<void> {
  const sessions = sessionsOf(commands, options.random);
  let done = 0;
  let wrong = 0;
  await inParallel(sessions, async (session, i) => {
    for (const said of session) {
      const answer = await say(said, `${options.name}-${i}`, options.core);
      const correct = answer.intent === said.label;
      const right = correct ? {} : { expected_output: { intent: said.label } };
      const judgement = { correct, asked: true, ...right };
      await judge(answer.interaction_id, judgement, options);
      done += 1;
      if (!correct) wrong += 1;
      onProgress(done, wrong);
    }
  });
}

/** Sessions without end, until the signal fires; they complain about wrong answers and do not say what would have been right. */
export async function keepTalking(pool: readonly Utterance[], options: AssistantOptions): Promise<void> {
  const { random, core, signal, name } = options;
  let next = 0;
  const talk = async (): Promise<void> => {
    while (!signal.aborted) {
      const session = `${name}-${next++}`;
      const commands = sessionsOf(
        Array.from({ length: 4 }, () => pool[random.below(pool.length)] as Utterance),
        random,
      )[0] as Utterance[];
      for (const said of commands) {
        if (signal.aborted) return;
        const answer = await say(said, session, core);
        if (answer.intent !== said.label) await judge(answer.interaction_id, { correct: false }, options);
      }
    }
  };
  await Promise.all(Array.from({ length: SESSIONS_AT_ONCE }, talk));
}

async function say(
  said: Utterance,
  session: string,
  core: PatientClient,
): Promise<{ intent: string; interaction_id: string }> {
  return core.post('/api/command', { text: said.text, session_id: session }, commandResponseSchema);
}

async function judge(
  interactionId: string,
  judgement: { correct: boolean; asked?: boolean; expected_output?: { intent: string } },
  { core, sent }: AssistantOptions,
): Promise<void> {
  await core.post('/api/feedback', { interaction_id: interactionId, ...judgement }, feedbackResponseSchema);
  sent.experiences += 1;
}

/** Hands over batches, each under a key of its own: a repeated one counts once. */
export async function importExperiences(
  batches: readonly (readonly Experience[])[],
  { core, sent, name }: Pick<AssistantOptions, 'core' | 'sent' | 'name'>,
  onProgress: (done: number) => void,
): Promise<void> {
  let done = 0;
  for (const [i, experiences] of batches.entries()) {
    const headers = { 'idempotency-key': `${name}-${i}` };
    await core.post('/api/experiences', { experiences }, experiencesResponseSchema, { headers });
    sent.experiences += experiences.length;
    done += experiences.length;
    onProgress(done);
  }
}

/** Share of `rows` that `version` answers right, asked of J-Prime. Throws when another version answers. */
export async function measureAccuracy(
  rows: readonly Utterance[],
  version: string,
  prime: PatientClient,
): Promise<number> {
  let right = 0;
  await inParallel(rows, async ({ text, label }) => {
    const answer = await predict(prime, text);
    if (answer.version !== version)
      throw new Error(`${answer.version} answered while ${version} was to be measured`);
    if (answer.output['intent'] === label) right += 1;
  });
  return right / rows.length;
}

export function predict(prime: PatientClient, text: string) {
  return prime.post('/api/predict/nlu', { input: { text } }, predictResponseSchema);
}

async function inParallel<T>(
  items: readonly T[],
  work: (item: T, index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let i = next++; i < items.length; i = next++) await work(items[i] as T, i);
  };
  await Promise.all(Array.from({ length: Math.min(SESSIONS_AT_ONCE, items.length) }, worker));
}
