"""Shape of a document: Gopher's quality rules (arXiv 2112.11446), as datatrove 0.10.1 computes them.

Its ratios take all tokens for words, punctuation included; only the count and the mean length leave punctuation out.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from numba import njit

from workers.curation.document import Document
from workers.curation.filters._shared import Figure, Verdict, first_breach
from workers.curation.lexicon import ALPHABETIC, SYMBOL, Lexicon, Numbers
from workers.curation.text import Text
from workers.specs.curation.filters import GopherQuality

STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")
_ELLIPSES = ("...", "…")
_BULLETS = ("•", "-")
_ALPHABETIC, _SYMBOL = np.uint8(ALPHABETIC), np.uint8(SYMBOL)


class GopherQualityFilter:
    """Number and length of words, symbols, bullets, ellipses, alphabetic words, stop words."""

    def __init__(self, spec: GopherQuality) -> None:
        self.spec = spec
        self.languages = frozenset(spec.languages)
        self.stop_words = frozenset(spec.stop_words or STOP_WORDS)

    def judge(self, document: Document, text: Text) -> Verdict:
        return first_breach(self.spec, document, self._figures(text)) or text

    def _figures(self, text: Text) -> Iterator[Figure]:
        # Splitting first: it is what makes the lexicon know the text's words.
        words, lexicon = text.word_numbers, text.lexicon
        stops = _known(lexicon, self.stop_words)
        counts = _count(words, lexicon.lengths.array, lexicon.bits.array, stops)
        num_real, num_chars, num_alphabetic, num_stops = counts
        yield "min_words", num_real, None
        yield "max_words", num_real, None
        mean_length = num_chars / max(1, num_real)
        yield "min_mean_word_length", mean_length, None
        yield "max_mean_word_length", mean_length, None
        num_words = max(1, len(words))
        ellipses = sum(map(text.text.count, _ELLIPSES))
        symbols = max(text.text.count("#"), ellipses)
        yield "max_symbol_word_ratio", symbols / num_words, None
        lines = text.text.splitlines()
        num_lines = max(1, len(lines))
        yield "max_bullet_line_ratio", sum([line.lstrip().startswith(_BULLETS) for line in lines]) / num_lines, None
        ends = sum([line.rstrip().endswith(_ELLIPSES) for line in lines]) if ellipses else 0
        yield "max_ellipsis_line_ratio", ends / num_lines, None
        yield "min_alphabetic_word_ratio", num_alphabetic / num_words, None
        yield "min_stop_words", num_stops, None


def _known(lexicon: Lexicon, words: frozenset[str]) -> Numbers:
    """Numbers of those words that the lexicon has seen."""
    return np.array([n for word in words if (n := lexicon.numbers.get(word)) is not None], np.int32)


@njit(cache=True)
def _count(
    words: Numbers, lengths: Numbers, bits: npt.NDArray[np.uint8], stops: Numbers
) -> tuple[int, int, int, int]:  # pragma: no cover  # compiled
    """Words that are no punctuation, their characters, words with a letter, different stop words."""
    real, chars, alphabetic = 0, 0, 0
    found = np.zeros(len(stops), np.bool_)
    for word in words:
        if not bits[word] & _SYMBOL:
            real += 1
            chars += lengths[word]
        if bits[word] & _ALPHABETIC:
            alphabetic += 1
        for i in range(len(stops)):
            if stops[i] == word:
                found[i] = True
    return real, chars, alphabetic, found.sum()


def build(spec: GopherQuality) -> GopherQualityFilter:
    """The filter of this spec."""
    return GopherQualityFilter(spec)
