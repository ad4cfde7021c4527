"""Words by number: each distinct chunk (what blanks part) is split by spaCy's rules once, then looked up.

A text becomes an array of word numbers, and what filters ask of a word (length, letters, punctuation) is an array over
all words, so that they work on arrays alone. Memory is bounded: a full lexicon is replaced by a fresh one, and texts
hold on to the one that they were split with.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from workers.curation.hashing import hash_string
from workers.curation.punctuation import SENTENCE_ENDS, is_punctuation, is_unicode_punctuation
from workers.curation.spacy_rules import LANGUAGES, WordRules, word_rules

Numbers = npt.NDArray[np.int32]
MAX_CHUNKS = 300_000
MAX_CHARS = 8_000_000
"""Distinct chunks, and characters in them, that a lexicon holds: about 100 MB."""
# spaCy's time grows with the square of a chunk's length: 10,000 brackets take it 12 s.
_MAX_CHUNK_CHARS = 5000
_MAX_SYMBOL_CHARS = 300

ALPHABETIC, SYMBOL, END, PUNCT = 1, 2, 4, 8
"""Bits of a word: has a letter; all datatrove's punctuation; ends a sentence (spaCy); all Unicode punctuation."""

_lexicons: dict[str, "Lexicon"] = {}


def lexicon(language: str) -> "Lexicon":
    """The lexicon of this process for a language, with room left. Languages without rules of their own share one."""
    language = language if language in LANGUAGES else "xx"
    found = _lexicons.get(language)
    if found is None or found.is_full:
        found = _lexicons[language] = Lexicon(word_rules(language))
    return found


class Column:
    """A growing array."""

    def __init__(self, dtype: Any) -> None:
        self.array: npt.NDArray[Any] = np.zeros(1024, dtype=dtype)
        """The values with room at their end: to be indexed by numbers that are in use."""
        self._size = 0

    def extend(self, values: list[Any] | npt.NDArray[Any]) -> None:
        needed = self._size + len(values)
        if needed > len(self.array):  # the old array stays as it was for whoever holds it
            grown = np.zeros(max(2 * len(self.array), needed), dtype=self.array.dtype)
            grown[: self._size] = self.array[: self._size]
            self.array = grown
        self.array[self._size : needed] = values
        self._size = needed


@dataclass(slots=True, frozen=True)
class Split:
    """A text in words."""

    words: Numbers
    """Numbers of its words, (num_words,)."""
    alone: Numbers
    """The same with each chunk taken alone; seldom another array."""
    ends: Numbers
    """Words of `alone` before the end of each chunk, (num_chunks,)."""


class Lexicon:
    """Chunks and words of one language by number."""

    def __init__(self, rules: WordRules) -> None:
        self.rules = rules
        self.words: list[str] = []
        self.numbers: dict[str, int] = {}
        self.lengths, self.bits = Column(np.int32), Column(np.uint8)
        self.hashes, self.powers = Column(np.uint64), Column(np.uint64)
        self._chunks: dict[str, int] = {}
        self._ends, self._chunk_words = Column(np.int32), Column(np.int32)
        self._ends.extend([0])
        self._num_chunk_words = 0
        self._shaky = Column(np.bool_)
        self._num_chars = 0

    @property
    def is_full(self) -> bool:
        return len(self._chunks) > MAX_CHUNKS or self._num_chars > MAX_CHARS

    def chunk_numbers(self, chunks: list[str]) -> Numbers:
        """Numbers of chunks, (num_chunks,); new ones are learned."""
        known = self._chunks
        try:
            return np.fromiter(map(known.__getitem__, chunks), np.int32, len(chunks))
        except KeyError:
            self._learn([chunk for chunk in dict.fromkeys(chunks) if chunk not in known])
            return np.fromiter(map(known.__getitem__, chunks), np.int32, len(chunks))

    def split(self, text: str, numbers: Numbers) -> Split:
        """The words of a text whose chunks have these numbers."""
        words, ends, shaky = _expand(numbers, self._ends.array, self._chunk_words.array, self._shaky.array)
        if (shaky and self._is_joined(text, numbers)) or any(rule in text for rule in self.rules.spaced_exceptions):
            return Split(self.number_all(self.rules.split_text(text)), words, ends)
        return Split(words, words, ends)

    def number_all(self, words: list[str]) -> Numbers:
        """Numbers of words, (num_words,); new ones are learned."""
        numbers = self.numbers
        new = [word for word in dict.fromkeys(words) if word not in numbers]
        if new:
            numbers.update(zip(new, range(len(numbers), len(numbers) + len(new)), strict=True))
            self.words += new
            self.lengths.extend(list(map(len, new)))
            self.bits.extend(list(map(_bits, new)))
            hashes = list(map(hash_string, new))
            self.hashes.extend([value for value, _ in hashes])
            self.powers.extend([power for _, power in hashes])
        return np.fromiter(map(numbers.__getitem__, words), np.int32, len(words))

    def _learn(self, chunks: list[str]) -> None:
        words: list[str] = []
        ends: list[int] = []
        shaky: list[bool] = []
        for chunk in chunks:
            splits = [self.rules.split_chunk(piece) for piece in _cut(chunk)]
            for found, _ in splits:
                words += found
            shaky.append(any(put_together for _, put_together in splits))
            ends.append(self._num_chunk_words + len(words))
        self._chunk_words.extend(self.number_all(words))
        self._num_chunk_words += len(words)
        self._ends.extend(ends)
        self._shaky.extend(shaky)
        self._chunks.update(zip(chunks, range(len(self._chunks), len(self._chunks) + len(chunks)), strict=True))
        self._num_chars += sum(map(len, chunks))

    def _is_joined(self, text: str, numbers: Numbers) -> bool:
        """May spaCy split one of these chunks otherwise beside its neighbours than alone?"""
        chunks = text.split()
        shaky = np.flatnonzero(self._shaky.array[numbers]).tolist()
        gaps = {gap for i in shaky for gap in (i - 1, i) if 0 <= gap < len(chunks) - 1}
        return any(self._can_join(chunks[gap], chunks[gap + 1]) for gap in gaps)

    def _can_join(self, left: str, right: str) -> bool:
        """Can an exception reach from the end of one chunk into the next?"""
        ends, begins = self.rules.strip(left), self.rules.strip(right)
        return bool(ends and begins) and self.rules.can_join(ends[-1], begins[0])


def _cut(chunk: str) -> list[str]:
    limit = _MAX_CHUNK_CHARS
    if len(chunk) <= _MAX_SYMBOL_CHARS:
        return [chunk]
    if 2 * sum(map(str.isalnum, chunk)) < len(chunk):
        limit = _MAX_SYMBOL_CHARS
    return [chunk[i : i + limit] for i in range(0, len(chunk), limit)]


def _bits(word: str) -> int:
    bits = ALPHABETIC if any(map(str.isalpha, word)) else 0
    bits |= SYMBOL if is_punctuation(word) else 0
    bits |= END if word in SENTENCE_ENDS else 0
    return bits | (PUNCT if is_unicode_punctuation(word) else 0)


@njit(cache=True)
def _expand(
    chunks: Numbers, ends_by_chunk: Numbers, words: Numbers, shaky: npt.NDArray[np.bool_]
) -> tuple[Numbers, Numbers, bool]:  # pragma: no cover  # compiled
    ends = np.empty(len(chunks), np.int32)
    total, any_shaky = 0, False
    for i in range(len(chunks)):
        any_shaky |= shaky[chunks[i]]
        total += ends_by_chunk[chunks[i] + 1] - ends_by_chunk[chunks[i]]
        ends[i] = total
    numbers = np.empty(total, np.int32)
    at = 0
    for i in range(len(chunks)):
        for j in range(ends_by_chunk[chunks[i]], ends_by_chunk[chunks[i] + 1]):
            numbers[at] = words[j]
            at += 1
    return numbers, ends, any_shaky
