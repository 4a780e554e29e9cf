"""A text as J-Prime's nlu models see it: a port of packages/model-kinds/src/nlu (scheme hashed-ngrams-1), written from its
description, so that another server can serve the same artifact. Equal answers mean that neither of the two is wrong alone."""
import math
import unicodedata

import numpy as np

FAMILY_WORD, FAMILY_PAIR, FAMILY_CHAR = 0x811C9DC5, 0x9747B28C, 0x3C6EF372
CHAR_NGRAM_MIN, CHAR_NGRAM_MAX = 2, 4
MASK = 0xFFFFFFFF


def fnv1a(seed: int, units: list[int]) -> int:
    value = seed
    for unit in units:
        value = ((value ^ unit) * 0x01000193) & MASK
    return value


def avalanche(value: int) -> int:
    value ^= value >> 16
    value = (value * 0x85EBCA6B) & MASK
    value ^= value >> 13
    value = (value * 0xC2B2AE35) & MASK
    return value ^ (value >> 16)


def units_of(text: str) -> list[int]:
    """UTF-16 code units."""
    data = text.encode("utf-16-le", "surrogatepass")
    return [int.from_bytes(data[i : i + 2], "little") for i in range(0, len(data), 2)]


def words_of(text: str) -> list[str]:
    """Letters, marks and digits in a row; an apostrophe between a word and letters belongs to it."""
    text = unicodedata.normalize("NFKC", text).lower().replace("\u2019", "'")
    classes = [unicodedata.category(char)[0] for char in text]
    words, at = [], 0
    while at < len(text):
        if classes[at] not in "LMN":
            at += 1
            continue
        start = at
        while at < len(text) and classes[at] in "LMN":
            at += 1
        if at + 1 < len(text) and text[at] == "'" and classes[at + 1] == "L":
            at += 1
            while at < len(text) and classes[at] == "L":
                at += 1
        words.append(text[start:at])
    return words


def count_features(text: str) -> dict[int, int]:
    tally: dict[int, int] = {}

    def add(value: int) -> None:
        feature = avalanche(value)
        tally[feature] = tally.get(feature, 0) + 1

    previous = "^"
    for word in words_of(text):
        add(fnv1a(FAMILY_WORD, units_of(word)))
        add(fnv1a(FAMILY_PAIR, units_of(f"{previous} {word}")))
        bounded = units_of(f"^{word}$")
        for start in range(len(bounded)):
            for length in range(CHAR_NGRAM_MIN, min(CHAR_NGRAM_MAX, len(bounded) - start) + 1):
                add(fnv1a(FAMILY_CHAR, bounded[start : start + length]))
        previous = word
    if tally:
        add(fnv1a(FAMILY_PAIR, units_of(f"{previous} $")))
    return tally


class Vocabulary:
    """`features` hashes (int32), then as many idf (float32), little-endian."""

    def __init__(self, data: bytes, features: int, unknown_idf: float):
        hashes = np.frombuffer(data, "<u4", features)
        self.row_of = {int(value): row for row, value in enumerate(hashes)}
        self.idf = np.frombuffer(data, "<f4", features, features * 4)
        self.unknown_idf = unknown_idf

    def encode(self, text: str) -> tuple[list[int], np.ndarray]:
        """(1 + ln count) * idf of each feature, scaled to length 1; unknown ones count in the length only."""
        rows, values, squares = [], [], 0.0
        for feature, count in count_features(text).items():
            row = self.row_of.get(feature)
            idf = self.unknown_idf if row is None else float(self.idf[row])
            value = (1 + math.log(count)) * idf
            squares += value * value
            if row is not None:
                rows.append(row)
                values.append(value)
        scale = 1 / math.sqrt(squares) if squares > 0 else 0.0
        return rows, (np.array(values, np.float32).astype(np.float64) * scale).astype(np.float32)


def decide(labels: list[str], probabilities: np.ndarray, threshold: float) -> tuple[str, float]:
    """The best intent, or `oos` when that one wins or none is probable enough."""
    best, intent, out_of_scope = 0.0, "oos", 0.0
    for label, probability in zip(labels, probabilities.tolist()):
        if label == "oos":
            out_of_scope = probability
        elif probability > best:
            best, intent = probability, label
    if out_of_scope > best or best < threshold:
        return "oos", 1 - best
    return intent, best
