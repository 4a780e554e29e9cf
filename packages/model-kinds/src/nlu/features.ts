// A text as counted n-grams, each known by a 32-bit hash:
//   "Play some jazz" -> words `play` `some` `jazz`, pairs `^ play` `play some` ..., characters `^p` `pl` `^pl` `play` ...
// Scheme hashed-ngrams-1: whatever changes a hash here makes every stored model unreadable, so it needs a new name.

import { Tally } from './tally.ts';

const CHAR_NGRAM_MIN = 2;
const CHAR_NGRAM_MAX = 4;
const WORD = /[\p{L}\p{M}\p{N}]+(?:'\p{L}+)?/gu;

// The start value of a family's hashes: the same string as a word and as characters are two features.
const FAMILY = { word: 0x811c9dc5, pair: 0x9747b28c, char: 0x3c6ef372 } as const;

/** The features of one text: their hashes, and how often each is in it. */
export interface FeatureCounts {
  readonly hashes: Int32Array;
  readonly counts: Int32Array;
}

/** Of the text that is counted now: counting never waits. */
const tally = new Tally();

/** FNV-1a over UTF-16 code units from `start` to `end`; `seed` may be the hash of what came before. */
function fnv1a(seed: number, text: string, start = 0, end = text.length): number {
  let hash = seed;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash;
}

/** The finaliser of MurmurHash3: FNV alone leaves the upper bits of short strings poor. */
function avalanche(hash: number): number {
  let h = hash ^ (hash >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return h ^ (h >>> 16);
}

function add(hash: number): void {
  tally.add(avalanche(hash));
}

/** Words in lower case, in Unicode's compatibility form, apostrophes straight. */
function words(text: string): string[] {
  return text.normalize('NFKC').toLowerCase().replaceAll('’', "'").match(WORD) ?? [];
}

function addCharNgrams(word: string): void {
  const bounded = `^${word}$`;
  for (let start = 0; start < bounded.length; start++) {
    const longest = Math.min(CHAR_NGRAM_MAX, bounded.length - start);
    let hash: number = FAMILY.char;
    for (let length = 1; length <= longest; length++) {
      hash = fnv1a(hash, bounded, start + length - 1, start + length);
      if (length >= CHAR_NGRAM_MIN) add(hash);
    }
  }
}

/** All features of a text. A text without letters or digits has none. */
export function countFeatures(text: string): FeatureCounts {
  let previous = '^';
  for (const word of words(text)) {
    add(fnv1a(FAMILY.word, word));
    add(fnv1a(FAMILY.pair, `${previous} ${word}`));
    addCharNgrams(word);
    previous = word;
  }
  if (tally.size > 0) add(fnv1a(FAMILY.pair, `${previous} $`));
  const { keys: hashes, counts } = tally.take();
  return { hashes, counts };
}
