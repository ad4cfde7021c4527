"""Repeated lines, paragraphs and n-grams: Gopher's table A1 (arXiv 2112.11446), as datatrove 0.10.1 computes it."""

from collections.abc import Iterator

from workers.curation.document import Document, Drop
from workers.curation.filters._shared import Figure, Verdict, count_repeats, first_breach
from workers.curation.ngrams import duplicate_ngrams, top_ngrams
from workers.curation.text import Span, Text
from workers.specs.curation.filters import GopherRepetition


class GopherRepetitionFilter:
    """Shares of duplicate elements and characters; all over the length of the whole text in characters."""

    def __init__(self, spec: GopherRepetition) -> None:
        self.spec = spec
        self.languages = frozenset(spec.languages)

    def judge(self, document: Document, text: Text) -> Verdict:
        if not text.text:
            return Drop("gopher_repetition.empty")
        return first_breach(self.spec, document, self._figures(text)) or text

    def _figures(self, text: Text) -> Iterator[Figure]:
        yield from _element_figures(text)
        yield from self._top_figures(text)
        yield from self._duplicate_figures(text)

    def _top_figures(self, text: Text) -> Iterator[Figure]:
        limits = self.spec.max_top_ngram_char_fraction
        if not limits:
            return
        chars, places = top_ngrams(text.word_numbers, text.lexicon.lengths.array, max(limits))
        for n, limit in limits.items():
            if chars[n] >= 0:
                figure = int(chars[n]) / len(text)
                span = _span(text, int(places[n]), n) if figure > limit else None
                yield f"max_top_ngram_char_fraction.{n}", figure, span

    def _duplicate_figures(self, text: Text) -> Iterator[Figure]:
        limits = self.spec.max_duplicate_ngram_char_fraction
        if not limits:
            return
        lexicon = text.lexicon
        chars, places = duplicate_ngrams(
            text.word_numbers,
            lexicon.lengths.array,
            lexicon.hashes.array,
            lexicon.powers.array,
            max(limits),
        )
        for n, limit in limits.items():
            figure = int(chars[n]) / len(text)
            span = _span(text, int(places[n]), n) if figure > limit else None
            yield f"max_duplicate_ngram_char_fraction.{n}", figure, span


def _element_figures(text: Text) -> Iterator[Figure]:
    paragraphs = count_repeats(text.paragraphs)
    span = paragraphs.span(text.text)
    yield "max_duplicate_paragraph_fraction", paragraphs.num_elements / len(text.paragraphs), span
    yield "max_duplicate_paragraph_char_fraction", paragraphs.num_chars / len(text), span
    lines = _lines(text.text)
    repeats = count_repeats(lines)
    span = repeats.span(text.text)
    yield "max_duplicate_line_fraction", repeats.num_elements / len(lines), span
    yield "max_duplicate_line_char_fraction", repeats.num_chars / len(text), span


def _lines(text: str) -> list[str]:
    r"""What `re.split(r"\n+", text)` gives, without its cost."""
    lines = [line for line in text.split("\n") if line]
    return [""] * text.startswith("\n") + lines + [""] * text.endswith("\n")


def _span(text: Text, at: int, n: int) -> Span:
    """Characters of the n words from word `at` on."""
    return text.word_spans[at][0], text.word_spans[at + n - 1][1]


def build(spec: GopherRepetition) -> GopherRepetitionFilter:
    """The filter of this spec."""
    return GopherRepetitionFilter(spec)
