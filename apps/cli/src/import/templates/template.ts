// A sentence template of Home Assistant's intents, read: `turn on [the] (light|lamp) [in <area>] {brightness:level}`.
//
//   (a|b) one of them   [a] or nothing   (a;b) in any order   {list:slot}   <rule>   \( as it stands
import { MAX_TEXT_CHARS } from '@jarvis/contracts';

export type Template =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'list' | 'rule'; readonly name: string }
  | { readonly kind: 'all' | 'one' | 'any_order'; readonly items: readonly Template[] };

export const NESTING_MAX = 32;
export const TEMPLATE_CHARS_MAX = 4 * MAX_TEXT_CHARS;
/** So many have 5,040 orders. */
export const ANY_ORDER_MAX = 7;

/** Says in words what is wrong with a template. */
export class TemplateError extends Error {
  override readonly name = 'TemplateError';
}

const CLOSING: Readonly<Record<string, string>> = { '(': ')', '[': ']', '{': '}', '<': '>' };
const SPECIAL = /[()[\]{}<>|;\\]/;
const NOTHING: Template = { kind: 'text', text: '' };

/** Throws TemplateError. */
export function parseTemplate(text: string): Template {
  if (text.length > TEMPLATE_CHARS_MAX)
    throw new TemplateError(`it is longer than ${TEMPLATE_CHARS_MAX} characters`);
  return new Parser(text).whole();
}

class Parser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  whole(): Template {
    const template = this.#group(0);
    if (this.#at < this.#text.length) throw new TemplateError(`a ${this.#text[this.#at]} opens nothing`);
    return template;
  }

  /** Up to what closes it, or the end. */
  #group(depth: number): Template {
    if (depth > NESTING_MAX) throw new TemplateError(`it is nested deeper than ${NESTING_MAX} levels`);
    const parts = [this.#sequence(depth)];
    const between = new Set<string>();
    while (this.#text[this.#at] === '|' || this.#text[this.#at] === ';') {
      between.add(this.#text[this.#at++] ?? '');
      parts.push(this.#sequence(depth));
    }
    const [first = NOTHING] = parts;
    if (between.size === 0) return first;
    if (between.size > 1) throw new TemplateError('| and ; stand in one group');
    if (between.has('|')) return { kind: 'one', items: parts };
    if (parts.length > ANY_ORDER_MAX)
      throw new TemplateError(`more than ${ANY_ORDER_MAX} parts in any order`);
    return { kind: 'any_order', items: parts };
  }

  #sequence(depth: number): Template {
    const items: Template[] = [];
    for (;;) {
      const next = this.#text[this.#at];
      if (next === undefined || ')]}>|;'.includes(next)) break;
      items.push(next in CLOSING ? this.#bracketed(next, depth) : this.#plain());
    }
    const [first = NOTHING] = items;
    return items.length > 1 ? { kind: 'all', items } : first;
  }

  #bracketed(opening: string, depth: number): Template {
    this.#at += 1;
    if (opening === '{' || opening === '<') return this.#reference(opening);
    const inner = this.#group(depth + 1);
    this.#close(opening);
    return opening === '(' ? inner : { kind: 'one', items: [inner, NOTHING] };
  }

  #reference(opening: '{' | '<'): Template {
    const from = this.#at;
    while (this.#at < this.#text.length && !SPECIAL.test(this.#text[this.#at] ?? '')) this.#at += 1;
    const [name = ''] = this.#text.slice(from, this.#at).split(':', 1);
    this.#close(opening);
    if (name.trim() === '') throw new TemplateError(`${opening}${CLOSING[opening]} has no name`);
    return { kind: opening === '{' ? 'list' : 'rule', name: name.trim() };
  }

  #close(opening: string): void {
    if (this.#text[this.#at] !== CLOSING[opening])
      throw new TemplateError(`a ${opening} is not closed, or by another bracket`);
    this.#at += 1;
  }

  #plain(): Template {
    let text = '';
    for (;;) {
      const next = this.#text[this.#at];
      if (next === undefined || (next !== '\\' && SPECIAL.test(next))) break;
      if (next === '\\') this.#at += 1;
      text += this.#text[this.#at] ?? '\\';
      this.#at += 1;
    }
    return { kind: 'text', text };
  }
}
