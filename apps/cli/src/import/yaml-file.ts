// A YAML file, with the line of everything in it. Every scalar is a string: `no` and `3.1` are words here.
import { isMap, isNode, isScalar, isSeq, LineCounter, parseDocument, visit, type YAMLMap } from 'yaml';
import { BrokenFile } from './found.ts';
import { type InputFile, type Reading, readWhole } from './text.ts';

export const YAML_BYTES_MAX = 8 * 1024 * 1024;
/** What aliases may bring in, more than is written. */
export const ALIASES_MAX = 100;

export type YamlPath = readonly (string | number)[];

export interface YamlFile {
  readonly value: unknown;
  /** Of the node at the path, or of the nearest above it. */
  lineAt(path: YamlPath): number | null;
}

type Document = ReturnType<typeof parseDocument>;

/** Throws BrokenFile. */
export async function readYaml(file: InputFile, reading: Reading): Promise<YamlFile> {
  return parseYaml(await readWhole(file, reading, YAML_BYTES_MAX));
}

export function parseYaml(text: string): YamlFile {
  const lines = new LineCounter();
  try {
    // Keys are compared below: the parser compares each with all others.
    const document = parseDocument(text, {
      schema: 'failsafe',
      uniqueKeys: false,
      prettyErrors: false,
      lineCounter: lines,
    });
    const [error] = document.errors;
    if (error !== undefined)
      throw new BrokenFile('not_yaml', lines.linePos(error.pos[0]).line, error.message);
    refuseRepeatedKeys(document, lines);
    const value: unknown = document.toJS({ maxAliasCount: ALIASES_MAX });
    const places = new Lines(document, lines);
    return { value, lineAt: (path) => places.at(path) };
  } catch (error) {
    if (error instanceof BrokenFile) throw error;
    // Too many aliases, an alias of nothing; or so many levels that the stack is full.
    if (error instanceof ReferenceError) throw new BrokenFile('not_yaml', null, error.message);
    if (error instanceof RangeError) throw new BrokenFile('not_yaml', null, 'it is nested too deeply');
    throw error;
  }
}

/** The last one would win, and the others be lost without a word. */
function refuseRepeatedKeys(document: Document, lines: LineCounter): void {
  visit(document, {
    Map: (_, map) => {
      const seen = new Set<string>();
      for (const { key } of map.items) {
        if (!isScalar(key)) continue;
        const name = String(key.value);
        if (seen.has(name))
          throw new BrokenFile(
            'not_yaml',
            lines.linePos(key.range?.[0] ?? 0).line,
            `the key ${name} is there twice`,
          );
        seen.add(name);
      }
    },
  });
}

/** Each map is looked through once: asking it for one key after another would take the square of their number. */
class Lines {
  readonly #document: Document;
  readonly #counter: LineCounter;
  readonly #values = new Map<YAMLMap, ReadonlyMap<string, unknown>>();

  constructor(document: Document, counter: LineCounter) {
    this.#document = document;
    this.#counter = counter;
  }

  at(path: YamlPath): number | null {
    let node: unknown = this.#document.contents;
    let line = this.#of(node);
    for (const step of path) {
      if (isMap(node)) node = this.#valuesOf(node).get(String(step));
      else node = isSeq(node) ? node.items[Number(step)] : null;
      line = this.#of(node) ?? line;
    }
    return line;
  }

  #of(node: unknown): number | null {
    return isNode(node) && node.range != null ? this.#counter.linePos(node.range[0]).line : null;
  }

  #valuesOf(map: YAMLMap): ReadonlyMap<string, unknown> {
    let values = this.#values.get(map);
    if (values === undefined) {
      values = new Map(map.items.map(({ key, value }) => [isScalar(key) ? String(key.value) : '', value]));
      this.#values.set(map, values);
    }
    return values;
  }
}
