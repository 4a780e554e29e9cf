// What the benches that run in rounds, on both engines, were run with, and how they say it below their tables.

export interface Setting {
  readonly rounds: number;
  readonly windowMs: number;
  readonly machine: string;
  readonly postgres: string;
}

export function settingInWords({ rounds, windowMs, machine, postgres }: Setting): string {
  return `${rounds} rounds of ${windowMs} ms for each. Postgres: ${postgres}. Machine: ${machine}.`;
}

/** Of what is counted by the second, without a fraction. */
export function whole(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}
