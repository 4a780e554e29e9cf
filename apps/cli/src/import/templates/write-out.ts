// Writes forms out: all of them, or so many, spread evenly over all that there are.
import { MAX_TEXT_CHARS } from '@jarvis/contracts';
import { factorial, type Forms } from './vocabulary.ts';

/** Parts of one form; a few rules that each name the one before twice would have a million. */
export const PARTS_MAX = 2_000;

export interface WrittenOut {
  /** Each once, without needless white space; the empty one is no sentence. */
  readonly texts: readonly string[];
  /** Of forms that were tried and are too long for an experience. */
  readonly tooLong: number;
}

export function writeOut(forms: Forms, formsMax: number): WrittenOut {
  const texts = new Set<string>();
  let tooLong = 0;
  for (const index of spread(forms.count, formsMax)) {
    const text = formAt(forms, index);
    if (text === null) tooLong += 1;
    else if (text !== '') texts.add(text);
  }
  return { texts: [...texts], tooLong };
}

const GOLDEN = (Math.sqrt(5) - 1) / 2;

/** Different numbers from 0 to below `count`: all in order, or `max` of them with no part of the range left out. */
export function* spread(count: number, max: number): Generator<number> {
  if (count <= max) {
    for (let i = 0; i < count; i += 1) yield i;
    return;
  }
  // A step without a divisor in common with the count meets every number once. Even steps would meet the same word of
  // each alternative again and again, for the last digits of a number choose the first words.
  let step = Math.floor(count * GOLDEN);
  while (commonDivisor(step, count) > 1) step += 1;
  for (let i = 0, at = 0; i < max; i += 1, at = (at + step) % count) yield at;
}

function commonDivisor(a: number, b: number): number {
  return b === 0 ? a : commonDivisor(b, a % b);
}

/** null: it is too long. */
function formAt(forms: Forms, index: number): string | null {
  const written: Written = { parts: [], chars: 0, steps: 0 };
  if (!append(forms, index, written)) return null;
  const text = written.parts.join('').replaceAll(/\s+/g, ' ').trim();
  return text.length > MAX_TEXT_CHARS ? null : text;
}

interface Written {
  readonly parts: string[];
  chars: number;
  steps: number;
}

/** False when it becomes too long. */
function append(forms: Forms, index: number, written: Written): boolean {
  written.steps += 1;
  if (written.steps > PARTS_MAX) return false;
  switch (forms.kind) {
    case 'text':
      return appendText(forms.text, written);
    case 'range':
      return appendText(String(forms.from + index * forms.step), written);
    case 'one':
      return appendOne(forms.items, index, written);
    case 'all':
      return appendAll(forms.items, index, written);
    case 'any_order': {
      const orders = factorial(forms.items.length);
      const ordered = inOrder(forms.items, index % orders);
      const apart = ordered.flatMap((item) => [item, SPACE]);
      return appendAll(apart, Math.floor(index / orders), written);
    }
  }
}

const SPACE: Forms = { kind: 'text', text: ' ', count: 1 };

function appendText(text: string, written: Written): boolean {
  written.parts.push(text);
  written.chars += text.length;
  // White space goes, so the text may be shorter in the end.
  return written.chars <= 4 * MAX_TEXT_CHARS;
}

function appendOne(items: readonly Forms[], index: number, written: Written): boolean {
  let left = index;
  for (const item of items) {
    if (left < item.count) return append(item, left, written);
    left -= item.count;
  }
  return false;
}

/** The index as digits, the first item's the last one. */
function appendAll(items: readonly Forms[], index: number, written: Written): boolean {
  let left = index;
  for (const item of items) {
    if (!append(item, left % item.count, written)) return false;
    left = Math.floor(left / item.count);
  }
  return true;
}

function inOrder(items: readonly Forms[], order: number): Forms[] {
  const waiting = [...items];
  const ordered: Forms[] = [];
  let left = order;
  while (waiting.length > 0) {
    ordered.push(...waiting.splice(left % waiting.length, 1));
    left = Math.floor(left / (waiting.length + 1));
  }
  return ordered;
}
