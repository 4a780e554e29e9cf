// What templates refer to: lists of values and expansion rules. A template with them put in is counted, not written out:
// a rule that is used twice is there once, so a few lines that stand for more sentences than there are atoms take no room.
import { parseTemplate, type Template, TemplateError } from './template.ts';

/** A template without references, and how many forms it has; not more than FORMS_COUNT_MAX, which stands for all above. */
export type Forms = { readonly count: number } & (
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'range'; readonly from: number; readonly step: number }
  | { readonly kind: 'all' | 'one' | 'any_order'; readonly items: readonly Forms[] }
);

export const FORMS_COUNT_MAX = 1e12;
/** Rules within rules. */
export const RULE_DEPTH_MAX = 32;
export const LIST_VALUES_MAX = 10_000;

export type List =
  | { readonly kind: 'values'; readonly templates: readonly string[] }
  | { readonly kind: 'range'; readonly from: number; readonly to: number; readonly step: number }
  /** Any words, or what only the running home knows. */
  | { readonly kind: 'open' };

export interface Words {
  readonly lists: ReadonlyMap<string, List>;
  readonly rules: ReadonlyMap<string, string>;
}

export interface Linked {
  /** null: every form needs a list that is not there. */
  readonly forms: Forms | null;
  /** Lists and rules that are not there, and forms that are left out for it. */
  readonly missing: ReadonlySet<string>;
}

const NONE: ReadonlySet<string> = new Set();

export class Vocabulary {
  readonly #words: Words;
  readonly #known = new Map<string, Linked>();
  readonly #under: string[] = [];

  constructor(words: Words) {
    this.#words = words;
  }

  /** Throws TemplateError. */
  link(template: Template): Linked {
    switch (template.kind) {
      case 'text':
        return { forms: { kind: 'text', text: template.text, count: 1 }, missing: NONE };
      case 'list':
      case 'rule':
        return this.#refer(template.kind, template.name);
      case 'one':
        return this.#oneOf(template.items);
      case 'all':
      case 'any_order':
        return this.#allOf(template.kind, template.items);
    }
  }

  #refer(kind: 'list' | 'rule', name: string): Linked {
    const key = kind === 'list' ? `{${name}}` : `<${name}>`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    if (this.#under.includes(key)) throw new TemplateError(`${key} refers to itself`);
    if (this.#under.length >= RULE_DEPTH_MAX)
      throw new TemplateError(`${key} is more than ${RULE_DEPTH_MAX} references deep`);
    this.#under.push(key);
    try {
      const linked = kind === 'list' ? this.#list(key, name) : this.#rule(key, name);
      this.#known.set(key, linked);
      return linked;
    } finally {
      this.#under.pop();
    }
  }

  #rule(key: string, name: string): Linked {
    const text = this.#words.rules.get(name);
    return text === undefined
      ? { forms: null, missing: new Set([key]) }
      : this.link(within(key, () => parseTemplate(text)));
  }

  #list(key: string, name: string): Linked {
    const list = this.#words.lists.get(name);
    if (list === undefined || list.kind === 'open' || (list.kind === 'values' && list.templates.length === 0))
      return { forms: null, missing: new Set([key]) };
    if (list.kind === 'range') return { forms: rangeOf(key, list), missing: NONE };
    if (list.templates.length > LIST_VALUES_MAX)
      throw new TemplateError(`${key} has more than ${LIST_VALUES_MAX} values`);
    return this.#oneOf(list.templates.map((text) => within(key, () => parseTemplate(text))));
  }

  #oneOf(templates: readonly Template[]): Linked {
    const linked = templates.map((item) => this.link(item));
    const items = linked.flatMap(({ forms }) => (forms === null ? [] : [forms]));
    const count = Math.min(
      FORMS_COUNT_MAX,
      items.reduce((sum, item) => sum + item.count, 0),
    );
    return { forms: items.length === 0 ? null : { kind: 'one', items, count }, missing: missingOf(linked) };
  }

  #allOf(kind: 'all' | 'any_order', templates: readonly Template[]): Linked {
    const linked = templates.map((item) => this.link(item));
    const items = linked.flatMap(({ forms }) => (forms === null ? [] : [forms]));
    const missing = missingOf(linked);
    if (items.length < templates.length) return { forms: null, missing };
    const orders = kind === 'any_order' ? factorial(items.length) : 1;
    const count = items.reduce((product, item) => Math.min(FORMS_COUNT_MAX, product * item.count), orders);
    return { forms: { kind, items, count }, missing };
  }
}

function missingOf(linked: readonly Linked[]): ReadonlySet<string> {
  return new Set(linked.flatMap(({ missing }) => [...missing]));
}

function rangeOf(key: string, { from, to, step }: Extract<List, { kind: 'range' }>): Forms {
  if (![from, to, step].every(Number.isSafeInteger) || step <= 0 || to < from)
    throw new TemplateError(`${key} is no range of whole numbers`);
  const count = Math.floor((to - from) / step) + 1;
  return { kind: 'range', from, step, count: Math.min(FORMS_COUNT_MAX, count) };
}

function within<T>(key: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    throw new TemplateError(`in ${key}: ${error.message}`);
  }
}

export function factorial(n: number): number {
  return n <= 1 ? 1 : n * factorial(n - 1);
}
