// Ratios of rounds: each round's own, because what disturbs one of a pair often disturbs both.
import { median } from './median.ts';

export interface Spread {
  readonly median: number;
  readonly least: number;
  readonly greatest: number;
}

/** Rounded to two places, as reports tell them. */
export function spreadOf(ratios: readonly number[]): Spread {
  const rounded = (value: number): number => Number(value.toFixed(2));
  return {
    median: rounded(median(ratios)),
    least: rounded(Math.min(...ratios)),
    greatest: rounded(Math.max(...ratios)),
  };
}

export function spreadInWords(ratios: readonly number[]): string {
  return `${inWords(median(ratios))} (${inWords(Math.min(...ratios))} to ${inWords(Math.max(...ratios))})`;
}

/** Two places, or two digits of what is small. */
function inWords(ratio: number): string {
  return ratio < 0.1 ? ratio.toPrecision(2) : ratio.toFixed(2);
}
