"""Shape of a document: Gopher's quality rules (arXiv 2112.11446), as datatrove 0.10.1 computes them.

Its ratios take all tokens for words, punctuation included; only the count and the mean length leave punctuation out.
"""

from collections.abc import Iterator

from workers.curation.document import Document
from workers.curation.filters._shared import Figure, Verdict, first_breach
from workers.curation.text import Text, is_punctuation
from workers.specs.curation.filters import GopherQuality

STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")
_ELLIPSES = ("...", "…")
_BULLETS = ("•", "-")


class GopherQualityFilter:
    """Number and length of words, symbols, bullets, ellipses, alphabetic words, stop words."""

    def __init__(self, spec: GopherQuality) -> None:
        self.spec = spec
        self.languages = frozenset(spec.languages)
        self.stop_words = frozenset(spec.stop_words or STOP_WORDS)

    def judge(self, document: Document, text: Text) -> Verdict:
        return first_breach(self.spec, self._figures(text)) or text

    def _figures(self, text: Text) -> Iterator[Figure]:
        real = [word for word in text.words if not is_punctuation(word)]
        yield "min_words", len(real), None
        yield "max_words", len(real), None
        mean_length = sum(map(len, real)) / max(1, len(real))
        yield "min_mean_word_length", mean_length, None
        yield "max_mean_word_length", mean_length, None
        num_words = max(1, len(text.words))
        yield "max_symbol_word_ratio", text.text.count("#") / num_words, None
        yield "max_symbol_word_ratio", sum(map(text.text.count, _ELLIPSES)) / num_words, None
        lines = text.text.splitlines()
        num_lines = max(1, len(lines))
        yield "max_bullet_line_ratio", sum(line.lstrip().startswith(_BULLETS) for line in lines) / num_lines, None
        yield "max_ellipsis_line_ratio", sum(line.rstrip().endswith(_ELLIPSES) for line in lines) / num_lines, None
        alphabetic = sum(any(map(str.isalpha, word)) for word in text.words)
        yield "min_alphabetic_word_ratio", alphabetic / num_words, None
        yield "min_stop_words", len(self.stop_words.intersection(text.words)), None


def build(spec: GopherQuality) -> GopherQualityFilter:
    """The filter of this spec."""
    return GopherQualityFilter(spec)
