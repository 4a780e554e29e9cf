// Made-up rows for the nlu trainer: every intent has words of its own and shares the rest with the others.
import type { DatasetRow } from '@jarvis/contracts';

const SUBJECTS = ['please', 'could you', 'i want to', 'now', 'hey', 'kindly', 'we should', 'time to'];
const SYLLABLES = ['ba', 'ko', 'ri', 'tu', 'me', 'sol', 'fan', 'dig', 'pel', 'wur', 'zan', 'lod'];

/** A word that belongs to one intent. */
function wordOf(intent: number, place: number): string {
  const at = (i: number) => SYLLABLES[i % SYLLABLES.length]!;
  return `${at(intent)}${at(Math.floor(intent / SYLLABLES.length) + place)}${at(intent + place)}`;
}

export function intentText(intent: number, utterance: number): string {
  const subject = SUBJECTS[utterance % SUBJECTS.length]!;
  return `${subject} ${wordOf(intent, 0)} the ${wordOf(intent, 1 + (utterance % 3))}`;
}

export function intentRow(
  intent: number,
  utterance: number,
  split: DatasetRow['split'] = 'train',
): DatasetRow {
  return {
    id: `${split}-${intent}-${utterance}`,
    split,
    input: { text: intentText(intent, utterance) },
    expected_output: { intent: `intent-${intent}` },
  };
}

export function intentRows(intents: number, utterances: number): DatasetRow[] {
  return Array.from({ length: intents * utterances }, (_, i) =>
    intentRow(Math.floor(i / utterances), i % utterances),
  );
}

export function outOfScopeRow(text: string, split: DatasetRow['split'] = 'train'): DatasetRow {
  return { id: `oos-${text}`, split, input: { text }, expected_output: { intent: 'oos' } };
}
