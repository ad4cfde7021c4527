"""FineWeb's line rules (arXiv 2406.17557, section 3.5), as datatrove 0.10.1 computes them. Blank lines don't count."""

from collections.abc import Iterator

from workers.curation.document import Document
from workers.curation.filters._shared import Figure, Verdict, count_repeats, first_breach
from workers.curation.text import Text, ends_terminal
from workers.specs.curation.filters import FinewebQuality


class FinewebQualityFilter:
    """Lines that end like sentences, short lines, repeated lines, lists."""

    def __init__(self, spec: FinewebQuality) -> None:
        self.spec = spec
        self.languages = frozenset(spec.languages)

    def judge(self, document: Document, text: Text) -> Verdict:
        return first_breach(self.spec, self._figures(text)) or text

    def _figures(self, text: Text) -> Iterator[Figure]:
        num_lines = max(1, len(text.lines))
        yield "min_line_punctuation_ratio", sum(map(ends_terminal, text.lines)) / num_lines, None
        short = sum(len(line) <= self.spec.short_line_chars for line in text.lines)
        yield "max_short_line_ratio", short / num_lines, None
        repeats = count_repeats(text.lines)
        num_chars = max(1, len(text) - text.text.count("\n"))
        yield "max_duplicate_line_char_ratio", repeats.num_chars / num_chars, repeats.span(text.text)
        yield "max_newline_word_ratio", text.text.count("\n") / max(1, len(text.words)), None


def build(spec: FinewebQuality) -> FinewebQualityFilter:
    """The filter of this spec."""
    return FinewebQualityFilter(spec)
