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
        self._values = np.zeros(1024, dtype=dtype)
        self._size = 0

    def append(self, value: Any) -> None:
        if self._size == len(self._values):
            self._values = np.concatenate([self._values, np.zeros_like(self._values)])
        self._values[self._size] = value
        self._size += 1

    def __len__(self) -> int:
        return self._size

    @property
    def array(self) -> npt.NDArray[Any]:
        """The array with room at its end: to be indexed by numbers that are in use."""
        return self._values


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
        self._starts, self._chunk_words = Column(np.int32), Column(np.int32)
        self._starts.append(0)
        self._shaky = Column(np.bool_)
        self._num_chars = 0

    @property
    def is_full(self) -> bool:
        return len(self._chunks) > MAX_CHUNKS or self._num_chars > MAX_CHARS

    def split(self, text: str, chunks: list[str]) -> Split:
        """The words of a text, which `chunks` are the parts of between its blanks."""
        ids = self._look_up(chunks)
        words, ends, shaky = _expand(ids, self._starts.array, self._chunk_words.array, self._shaky.array)
        if (shaky and self._is_joined(chunks, ids)) or any(rule in text for rule in self.rules.spaced_exceptions):
            whole = self.rules.split_text(text)
            return Split(np.fromiter(map(self.number, whole), np.int32, len(whole)), words, ends)
        return Split(words, words, ends)

    def _is_joined(self, chunks: list[str], ids: Numbers) -> bool:
        """May spaCy split one of these chunks otherwise beside its neighbours than alone?"""
        shaky = np.flatnonzero(self._shaky.array[ids]).tolist()
        gaps = {gap for i in shaky for gap in (i - 1, i) if 0 <= gap < len(chunks) - 1}
        return any(self._can_join(chunks[gap], chunks[gap + 1]) for gap in gaps)

    def number(self, word: str) -> int:
        """Number of a word; a new one where it was not seen."""
        found = self.numbers.get(word)
        if found is None:
            found = self.numbers[word] = len(self.words)
            self.words.append(word)
            self.lengths.append(len(word))
            self.bits.append(_bits(word))
            value, power = hash_string(word)
            self.hashes.append(value)
            self.powers.append(power)
        return found

    def _look_up(self, chunks: list[str]) -> Numbers:
        known = self._chunks
        try:
            return np.fromiter(map(known.__getitem__, chunks), np.int32, len(chunks))
        except KeyError:
            self._learn([chunk for chunk in dict.fromkeys(chunks) if chunk not in known])
            return np.fromiter(map(known.__getitem__, chunks), np.int32, len(chunks))

    def _learn(self, chunks: list[str]) -> None:
        for chunk in chunks:
            shaky = False
            for piece in _cut(chunk):
                words, put_together = self.rules.split_chunk(piece)
                shaky = shaky or put_together
                for word in words:
                    self._chunk_words.append(self.number(word))
            self._chunks[chunk] = len(self._chunks)
            self._num_chars += len(chunk)
            self._starts.append(len(self._chunk_words))
            self._shaky.append(shaky)

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
    chunks: Numbers, starts: Numbers, words: Numbers, shaky: npt.NDArray[np.bool_]
) -> tuple[Numbers, Numbers, bool]:  # pragma: no cover  # compiled
    ends = np.empty(len(chunks), np.int32)
    total, any_shaky = 0, False
    for i in range(len(chunks)):
        any_shaky |= shaky[chunks[i]]
        total += starts[chunks[i] + 1] - starts[chunks[i]]
        ends[i] = total
    numbers = np.empty(total, np.int32)
    at = 0
    for i in range(len(chunks)):
        for j in range(starts[chunks[i]], starts[chunks[i] + 1]):
            numbers[at] = words[j]
            at += 1
    return numbers, ends, any_shaky
