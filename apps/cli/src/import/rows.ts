// A row of named fields as an experience: text and label for nlu, two texts and a score for embedding.
import { checked, type Found, type Mapping, notMapped, type Place } from './found.ts';

const TEXT_FIELDS = ['text', 'utterance', 'input'];
const LABEL_FIELDS = ['label', 'intent'];
const PAIR_FIELDS = ['a', 'b', 'score'] as const;

/** The names of the fields that are read. */
export type RowFields =
  | { readonly kind: 'nlu'; readonly text: string; readonly label: string }
  | { readonly kind: 'embedding' };

/** null: they are not among the names. */
export function rowFieldsOf(names: readonly string[], mapping: Mapping): RowFields | null {
  if (mapping.modelType === 'embedding')
    return PAIR_FIELDS.every((name) => names.includes(name)) ? { kind: 'embedding' } : null;
  const text = fieldOf(names, mapping.textColumn, TEXT_FIELDS);
  const label = fieldOf(names, mapping.labelColumn, LABEL_FIELDS);
  return text === null || label === null ? null : { kind: 'nlu', text, label };
}

export function wantedFields({ modelType, textColumn, labelColumn }: Mapping): string {
  if (modelType === 'embedding') return PAIR_FIELDS.join(', ');
  return `${textColumn ?? TEXT_FIELDS.join(' or ')}, and ${labelColumn ?? LABEL_FIELDS.join(' or ')}`;
}

/** Of several usual names the one that comes first; the others are metadata like any other field. */
function fieldOf(names: readonly string[], asked: string | null, usual: readonly string[]): string | null {
  if (asked !== null) return names.includes(asked) ? asked : null;
  return usual.flatMap((field) => names.filter((name) => name.trim().toLowerCase() === field))[0] ?? null;
}

/** What else the row has goes into the metadata. */
export function rowExperience(
  row: ReadonlyMap<string, unknown>,
  fields: RowFields,
  { place, format }: { readonly place: Place; readonly format: string },
): Found {
  const used: readonly string[] = fields.kind === 'nlu' ? [fields.text, fields.label] : PAIR_FIELDS;
  const rest = [...row].filter(([name]) => !used.includes(name));
  const metadata = {
    imported_from: format,
    ...(rest.length === 0 ? {} : { fields: Object.fromEntries(rest) }),
  };
  if (fields.kind === 'embedding') {
    const [a, b, score] = PAIR_FIELDS.map((name) => row.get(name));
    const expected_output = {
      score: typeof score === 'string' && score.trim() !== '' ? Number(score) : score,
    };
    return checked({ type: 'interaction', input: { a, b }, expected_output, metadata }, place);
  }
  const [text, label] = [row.get(fields.text), row.get(fields.label)];
  if (isBlank(text)) return notMapped('no_text', place);
  if (isBlank(label)) return notMapped('no_label', place);
  return command({ text, intent: label, metadata }, place);
}

/** What a sentence with an intent becomes; without white space around either. */
export function command(
  { text, intent, metadata }: { text: unknown; intent: unknown; metadata: object },
  place: Place,
): Found {
  const input = { text: trimmed(text) };
  return checked({ type: 'command', input, expected_output: { intent: trimmed(intent) }, metadata }, place);
}

function trimmed(value: unknown): unknown {
  return typeof value === 'string' ? value.trim() : value;
}

function isBlank(value: unknown): boolean {
  return value === undefined || value === null || (typeof value === 'string' && value.trim() === '');
}
