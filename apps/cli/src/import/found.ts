// What a reader finds in a file, in order: experiences, and what cannot be one, with its place and the reason.
import { type Experience, experienceSchema, type ModelType } from '@jarvis/contracts';

/** Why something is not imported. A closed table: codes are counted, sentences are for people. */
export const NOT_MAPPED = {
  not_readable: 'the file is not read on from here',
  not_utf8: 'these bytes are not UTF-8, and the file is not read on from here; `iconv -t UTF-8` makes it so',
  has_nul: 'there is a NUL here, so it is no text, and the file is not read on from here',
  line_too_long: 'this line is too long, and the file is not read on from here',
  file_too_large: 'the file is too large to be read whole; split it',
  not_json: 'it is not JSON',
  not_yaml: 'it is not YAML that can be read',
  not_csv: 'it does not fit the form of the other rows',
  unknown_shape: 'it has none of the shapes that this format knows',
  other_model_type: 'another kind of model learns from it',
  no_text: 'it has no text',
  no_label: 'it has no label',
  not_an_experience: 'JARVIS Core would not take it as an experience',
  too_large: 'it is too large for one experience',
  answer_is_no_intent: 'the answer is no name of an intent, and nothing else learns from answers yet',
  turn_not_answered: 'no answer follows this turn',
  answer_without_turn: 'no turn of a user is before this answer',
  turn_not_text: 'this turn is not text alone',
  turn_not_learned: 'this turn has the weight 0',
  part_not_learned: 'no experience holds this part of the file',
  needs_list: 'it cannot be written out without a list that is in none of the files',
  partly_needs_list: 'forms of it are left out, for want of a list that is in none of the files',
  more_forms: 'it has more forms than are taken of one sentence (--forms)',
  not_a_template: 'it is no template that can be written out',
} as const;
export type NotMappedCode = keyof typeof NOT_MAPPED;

export interface Place {
  readonly line: number | null;
  /** Where in the line, or in the file: `messages[2]`. */
  readonly at: string | null;
}

export interface NotMapped extends Place {
  readonly code: NotMappedCode;
  /** What is wrong with this one; null where the code says it all. */
  readonly detail: string | null;
}

export interface Mapped extends Place {
  readonly experience: Experience;
  /** The experience as it is sent. */
  readonly json: string;
}

export type Found = Mapped | NotMapped;

/** How the user wants files to be read. */
export interface Mapping {
  /** null: whatever the file has; nlu where that is not said. */
  readonly modelType: ModelType | null;
  readonly textColumn: string | null;
  readonly labelColumn: string | null;
  /** Of one sentence template. */
  readonly formsMax: number;
}

/** Ends the reading of a file; what came before it counts. */
export class BrokenFile extends Error {
  override readonly name = 'BrokenFile';
  readonly found: NotMapped;
  constructor(code: NotMappedCode, line: number | null, detail: string | null = null) {
    super(NOT_MAPPED[code]);
    this.found = notMapped(code, { line, at: null }, detail);
  }
}

/** Below what JARVIS Core reads as one body (HTTP_BODY_LIMIT_MB). */
const EXPERIENCE_CHARS_MAX = 8 * 1024 * 1024;

export function notMapped(code: NotMappedCode, place: Place, detail: string | null = null): NotMapped {
  return { line: place.line, at: place.at, code, detail };
}

/** An experience as the contract has it, or why it is none. */
export function checked(value: unknown, place: Place): Found {
  const parsed = experienceSchema.safeParse(value);
  if (!parsed.success)
    return notMapped(
      'not_an_experience',
      place,
      parsed.error.issues.map((i) => [i.path.join('.'), i.message].filter(Boolean).join(': ')).join('; '),
    );
  const json = stringified(parsed.data);
  if (json === null || json.length > EXPERIENCE_CHARS_MAX)
    return notMapped(
      'too_large',
      place,
      `${EXPERIENCE_CHARS_MAX} characters and some hundred levels at most`,
    );
  return { line: place.line, at: place.at, experience: parsed.data, json };
}

/** null: nested too deeply. */
function stringified(value: unknown): string | null {
  try {
    return JSON.stringify(value);
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}
