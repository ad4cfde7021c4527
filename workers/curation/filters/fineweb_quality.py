"""FineWeb's line rules (arXiv 2406.17557, section 3.5), as datatrove 0.10.1 computes them. Blank lines don't count."""

from collections.abc import Iterator

from workers.curation.document import Document, Drop
from workers.curation.filters._shared import Figure, Verdict, count_repeats, first_breach
from workers.curation.punctuation import TERMINAL
from workers.curation.text import Text
from workers.specs.curation.filters import FinewebQuality


class FinewebQualityFilter:
    """Lines that end like sentences, short lines, repeated lines, lists."""

    def __init__(self, spec: FinewebQuality) -> None:
        self.spec = spec
        self.languages = frozenset(spec.languages)

    def judge(self, document: Document, text: Text) -> Verdict:
        if not text.lines:
            return Drop("fineweb_quality.empty")
        return first_breach(self.spec, document, self._figures(text)) or text

    def _figures(self, text: Text) -> Iterator[Figure]:
        lines, num_breaks = text.lines, text.text.count("\n")
        yield "min_line_punctuation_ratio", sum([line[-1] in TERMINAL for line in lines]) / len(lines), None
        longest = self.spec.short_line_chars
        yield "max_short_line_ratio", sum([len(line) <= longest for line in lines]) / len(lines), None
        repeats = count_repeats(lines)
        yield (
            "max_duplicate_line_char_ratio",
            repeats.num_chars / (len(text) - num_breaks),
            repeats.span(text.text),
        )
        yield "max_newline_word_ratio", num_breaks / max(1, len(text.word_numbers)), None


def build(spec: FinewebQuality) -> FinewebQualityFilter:
    """The filter of this spec."""
    return FinewebQualityFilter(spec)
