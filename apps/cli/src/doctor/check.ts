// What one check of `jarvis doctor` found, in words for a person.
export interface Check {
  /** What was looked at. */
  readonly subject: string;
  /** `broken`: something does not work, or will not; `note`: a person should know. */
  readonly state: 'fine' | 'note' | 'broken';
  readonly message: string;
  /** What to do about it; null when there is nothing to do. */
  readonly todo: string | null;
}

export function fine(subject: string, message: string): Check {
  return { subject, state: 'fine', message, todo: null };
}
export function note(subject: string, message: string, todo: string | null): Check {
  return { subject, state: 'note', message, todo };
}
export function broken(subject: string, message: string, todo: string): Check {
  return { subject, state: 'broken', message, todo };
}
