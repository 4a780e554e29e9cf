// `openai-chat`: conversations of {messages: [{role, content}]}, as chat models are fine-tuned. Each answer is what is
// expected of the turn of the user right before it; turns of the system are its context.
//
//   nlu        the turn -> the answer, where it is the name of an intent, or {"intent": "…"}
//   embedding  the turn and its answer belong together
import { MAX_LABEL_CHARS, type ModelType } from '@jarvis/contracts';
import { checked, type Found, type Mapping, notMapped, type Place } from './found.ts';
import { isObject, type JsonRecord, readJsonRecords } from './json-records.ts';
import { command } from './rows.ts';
import type { InputFile, Reading } from './text.ts';

const CONTEXT_ROLES = ['system', 'developer'];
const BELONG_TOGETHER = 1;

interface Turn {
  readonly role: string;
  /** null: more than text, or none. */
  readonly text: string | null;
  readonly learned: boolean;
  readonly place: Place;
}

export async function* readOpenAiChat(
  file: InputFile,
  mapping: Mapping,
  reading: Reading,
): AsyncGenerator<Found> {
  for await (const record of readJsonRecords(file, reading))
    if ('code' in record) yield record;
    else yield* foundIn(record, mapping.modelType ?? 'nlu');
}

function* foundIn({ value, place }: JsonRecord, modelType: ModelType): Generator<Found> {
  const messages = value['messages'];
  if (!Array.isArray(messages) || messages.length === 0) {
    yield notMapped('unknown_shape', place, 'it has no messages');
    return;
  }
  const context: string[] = [];
  let asked: Turn | null = null;
  for (const turn of messages.map((message, i) => turnOf(message, placeIn(place, i)))) {
    const isContext = CONTEXT_ROLES.includes(turn.role);
    if (turn.text !== null && isContext) context.push(turn.text);
    else if (turn.text !== null && turn.role === 'user') {
      if (asked !== null) yield notMapped('turn_not_answered', asked.place);
      asked = turn;
    } else if (turn.role === 'assistant') {
      yield answered(asked, turn, { context, modelType });
      asked = null;
    } else yield notMapped('turn_not_text', turn.place, `role ${turn.role}`);
  }
  if (asked !== null) yield notMapped('turn_not_answered', asked.place);
}

function turnOf(message: unknown, place: Place): Turn {
  if (!isObject(message)) return { role: 'unknown', text: null, learned: true, place };
  const { role, content, weight } = message;
  return { role: String(role), text: textOf(content), learned: weight !== 0, place };
}

/** Content is a string, or parts; parts of text alone are one text. */
function textOf(content: unknown): string | null {
  if (typeof content === 'string') return content.trim() === '' ? null : content;
  if (!Array.isArray(content) || content.length === 0) return null;
  const texts = content.map((part: unknown) =>
    isObject(part) && part['type'] === 'text' && typeof part['text'] === 'string' ? part['text'] : null,
  );
  return texts.includes(null) ? null : texts.join('\n');
}

function answered(
  asked: Turn | null,
  { text, learned, place }: Turn,
  { context, modelType }: { readonly context: readonly string[]; readonly modelType: ModelType },
): Found {
  if (asked === null) return notMapped('answer_without_turn', place);
  if (text === null) return notMapped('turn_not_text', place, 'role assistant');
  if (!learned) return notMapped('turn_not_learned', place);
  const metadata = {
    imported_from: 'openai-chat',
    ...(context.length === 0 ? {} : { system: context.join('\n') }),
  };
  if (modelType === 'embedding') {
    const input = { a: asked.text, b: text };
    return checked(
      { type: 'interaction', input, expected_output: { score: BELONG_TOGETHER }, metadata },
      place,
    );
  }
  const intent = intentOf(text.trim());
  return intent === null
    ? notMapped('answer_is_no_intent', place)
    : command({ text: asked.text, intent, metadata }, place);
}

/** A sentence would become a label of its own, and the next version would have one for each answer. */
function intentOf(answer: string): string | null {
  const name = answer.startsWith('{') ? namedIn(answer) : answer;
  return name !== null && name.length <= MAX_LABEL_CHARS && /^\S+$/u.test(name) ? name : null;
}

function namedIn(json: string): string | null {
  try {
    const value: unknown = JSON.parse(json);
    return isObject(value) && typeof value['intent'] === 'string' ? value['intent'] : null;
  } catch {
    return null;
  }
}

function placeIn({ line, at }: Place, i: number): Place {
  return { line, at: `${at === null ? '' : `${at}.`}messages[${i}]` };
}
