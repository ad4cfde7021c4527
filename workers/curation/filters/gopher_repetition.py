"""Repeated lines, paragraphs and n-grams: Gopher's table A1 (arXiv 2112.11446), as datatrove 0.10.1 computes it.

N-grams are numbered exactly (no hashing), n after n: the number of an n-gram comes from the number of the (n-1)-gram
that begins it and the word that ends it. So a rule costs a sort, and the walk over a text visits repeated n-grams only.
"""

import re
from collections.abc import Iterator
from typing import cast

import numpy as np
import numpy.typing as npt

from workers.curation.document import Document, Drop
from workers.curation.filters._shared import Figure, Verdict, count_repeats, first_breach
from workers.curation.text import Span, Text
from workers.specs.curation.filters import GopherRepetition

Ids = npt.NDArray[np.int64]
_LINE_BREAKS = re.compile(r"\n+")


class GopherRepetitionFilter:
    """Shares of duplicate elements and characters; all over the length of the whole text in characters."""

    def __init__(self, spec: GopherRepetition) -> None:
        self.spec = spec
        self.languages = frozenset(spec.languages)

    def judge(self, document: Document, text: Text) -> Verdict:
        return first_breach(self.spec, _line_figures(text)) or self._judge_ngrams(text) or text

    def _judge_ngrams(self, text: Text) -> Drop | None:
        top, duplicate = self.spec.max_top_ngram_char_fraction, self.spec.max_duplicate_ngram_char_fraction
        ngrams = Ngrams(text.words)
        for n in range(1, max([0, *top, *duplicate]) + 1):
            ngrams.grow()
            for rule, limits, measure in (
                ("max_top_ngram_char_fraction", top, ngrams.top_chars),
                ("max_duplicate_ngram_char_fraction", duplicate, ngrams.duplicate_chars),
            ):
                if n not in limits:
                    continue
                chars, at = measure()
                figure = chars / max(1, len(text))
                if figure > limits[n]:
                    return Drop(f"gopher_repetition.{rule}.{n}", figure, limits[n], _span(text, at, n))
        return None


class Ngrams:
    """The n-grams of a list of words, for n = 1, 2, 3, ...: `grow` goes on to the next n."""

    def __init__(self, words: list[str]) -> None:
        numbers: dict[str, int] = {}
        self.words: Ids = np.array([numbers.setdefault(word, len(numbers)) for word in words], dtype=np.int64)
        self.ends: Ids = np.concatenate([[0], np.cumsum([len(word) for word in words])]).astype(np.int64)
        self.num_words = len(numbers)
        self.n = 0
        self.ids: Ids = np.zeros(len(words) + 1, dtype=np.int64)
        """Number of the n-gram at each position."""
        self.first: Ids = np.zeros(0, dtype=np.int64)
        """Position at which each n-gram stands first."""
        self.counts: Ids = np.zeros(0, dtype=np.int64)

    def grow(self) -> None:
        """Go from n to n + 1."""
        self.n += 1
        if self.n > 1 and len(self.counts) and self.counts.max() == 1:  # then longer ones cannot repeat either
            self.ids = self.first = np.arange(max(0, len(self.words) - self.n + 1))
            self.counts = np.ones_like(self.ids)
            return
        keys = self.ids[: max(0, len(self.words) - self.n + 1)] * max(1, self.num_words) + self.words[self.n - 1 :]
        _, first, ids, counts = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
        self.first, self.ids, self.counts = cast(Ids, first), cast(Ids, ids), cast(Ids, counts)

    def top_chars(self) -> tuple[int, int]:
        """Characters in the most frequent n-gram (its blanks included) times its count, and where it stands first.

        Of equally frequent ones the first in the text counts. (0, 0) when the text has no n-gram.
        """
        if not len(self.counts):
            return 0, 0
        at = int(self.first[self.counts == self.counts.max()].min())
        length = int(self.ends[at + self.n] - self.ends[at]) + self.n - 1
        return length * int(self.counts.max()), at

    def duplicate_chars(self) -> tuple[int, int]:
        """Characters (without blanks) of n-grams seen before, on a walk that steps over each of them; and the first.

        Only n-grams that the walk stood on count as seen.
        """
        chars, free_from, first = 0, 0, 0
        seen: set[int] = set()
        repeated = np.flatnonzero(self.counts[self.ids] > 1) if len(self.ids) else self.ids
        for at, ngram in zip(repeated.tolist(), self.ids[repeated].tolist(), strict=True):
            if at < free_from:
                continue
            if ngram in seen:
                first = first if chars else at
                chars += int(self.ends[at + self.n] - self.ends[at])
                free_from = at + self.n
            else:
                seen.add(ngram)
        return chars, first


def _line_figures(text: Text) -> Iterator[Figure]:
    num_chars = max(1, len(text))
    paragraphs = count_repeats(text.paragraphs)
    span = paragraphs.span(text.text)
    yield "max_duplicate_paragraph_fraction", paragraphs.num_elements / len(text.paragraphs), span
    yield "max_duplicate_paragraph_char_fraction", paragraphs.num_chars / num_chars, span
    lines = _LINE_BREAKS.split(text.text)
    repeats = count_repeats(lines)
    span = repeats.span(text.text)
    yield "max_duplicate_line_fraction", repeats.num_elements / len(lines), span
    yield "max_duplicate_line_char_fraction", repeats.num_chars / num_chars, span


def _span(text: Text, at: int, n: int) -> Span:
    """Characters of the n words from word `at` on."""
    return text.word_spans[at][0], text.word_spans[at + n - 1][1]


def build(spec: GopherRepetition) -> GopherRepetitionFilter:
    """The filter of this spec."""
    return GopherRepetitionFilter(spec)
