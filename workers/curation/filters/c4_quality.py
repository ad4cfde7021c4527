"""C4's rules (arXiv 1910.10683) as FineWeb uses them, without terminal punctuation: datatrove 0.10.1.

Lines go first (too few words, an overlong word, JavaScript, policies), then pages. A kept page is what its lines left,
without Wikipedia's citation marks.
"""

import re
from itertools import pairwise

import numpy as np

from workers.curation.document import Document, Drop
from workers.curation.filters._shared import Verdict, first_breach
from workers.curation.sentences import count_line_sentences
from workers.curation.text import Text
from workers.specs.curation.filters import C4Quality

_CITATION = re.compile(r"\[\d*]|\[edit]|\[citation needed]")
_POLICIES = ("terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies")
_LINE_BREAK = re.compile(r"\r\n|[\n\v\f\r\x1c-\x1e\x85\u2028\u2029]")


class C4QualityFilter:
    """Shortens pages line by line; drops those with curly brackets, lorem ipsum or too few sentences."""

    def __init__(self, spec: C4Quality) -> None:
        self.spec = spec
        self.languages = frozenset(spec.languages)

    def judge(self, document: Document, text: Text) -> Verdict:
        stripped = [line.strip() for line in text.text.splitlines()]
        cleaned, counts = self._clean(text, stripped)
        if self._is_suspect(text.text):
            for number, line in enumerate(cleaned):
                if line is None:
                    continue
                lower = line.lower()
                if drop := self._condemned_page(text.text, line, lower, number):
                    return drop
                if not self._keeps(lower):
                    cleaned[number] = None
        kept = [line for line in cleaned if line is not None]
        left, chunks_per_line = _shorten(text, kept, counts, [line is not None for line in cleaned])
        is_plain = text.has_plain_blanks and "[" not in text.text
        sentences = count_line_sentences(left, "\n".join(kept), chunks_per_line, is_plain) if kept else 0
        if drop := first_breach(self.spec, document, [("min_sentences", sentences, None)]):
            return drop
        if not left.text:
            return Drop("c4_quality.min_words_per_line", 0.0, float(self.spec.min_words_per_line))
        return left

    def _clean(self, text: Text, stripped: list[str]) -> tuple[list[str | None], list[int]]:
        """Each line without citation marks, None where it has too few words or a long one; and how many it had."""
        if text.has_plain_blanks:
            counts = [line.count(" ") + 1 if line else 0 for line in stripped]
        else:
            counts = [len(line.split()) for line in stripped]
        least = self.spec.min_words_per_line
        cleaned = [
            None if count < least or self._has_long_word(line) else (_CITATION.sub("", line) if "[" in line else line)
            for line, count in zip(stripped, counts, strict=True)
        ]
        return cleaned, counts

    def _has_long_word(self, line: str) -> bool:
        longest = self.spec.max_word_length
        return len(line) > longest and any(len(word) > longest for word in line.split())

    def _is_suspect(self, text: str) -> bool:
        """Can any rule on what lines say apply to this page?"""
        lower = text.lower()
        return "{" in text or "lorem ipsum" in lower or "javascript" in lower or any(map(lower.__contains__, _POLICIES))

    def _condemned_page(self, text: str, line: str, lower: str, number: int) -> Drop | None:
        if self.spec.drop_lorem_ipsum and "lorem ipsum" in lower:
            at = text.lower().find("lorem ipsum", _line_span(text, number)[0])
            return Drop("c4_quality.drop_lorem_ipsum", 1.0, 0.0, (at, at + len("lorem ipsum")))
        # A JavaScript line goes before its brackets are looked at.
        if self.spec.drop_curly_bracket and "{" in line and not self._is_javascript(lower):
            at = text.find("{", *_line_span(text, number))
            return Drop("c4_quality.drop_curly_bracket", float(text.count("{")), 0.0, (at, at + 1))
        return None

    def _keeps(self, lower: str) -> bool:
        is_policy = self.spec.drop_policy_lines and any(phrase in lower for phrase in _POLICIES)
        return not (is_policy or self._is_javascript(lower))

    def _is_javascript(self, lower: str) -> bool:
        return self.spec.drop_javascript_lines and "javascript" in lower


def _shorten(text: Text, kept: list[str], counts: list[int], keeps: list[bool]) -> tuple[Text, list[int]]:
    """The text of the kept lines, and how many chunks each of them has. `counts` and `keeps` are of all lines."""
    joined = "\n".join(kept)
    if joined == text.text:
        return text, counts
    if "[" in text.text:  # lines may have lost citation marks, and chunks with them
        return text.part(joined.strip()), [len(line.split()) for line in kept]
    numbers = text.chunk_numbers[np.repeat(np.array(keeps, np.bool_), counts)]
    return text.part(joined.strip(), numbers), [n for n, kept_line in zip(counts, keeps, strict=True) if kept_line]


def _line_span(text: str, number: int) -> tuple[int, int]:
    """Span of a line of `str.splitlines`."""
    breaks = [(0, 0), *(match.span() for match in _LINE_BREAK.finditer(text)), (len(text), len(text))]
    before, after = list(pairwise(breaks))[number]
    return before[1], after[0]


def build(spec: C4Quality) -> C4QualityFilter:
    """The filter of this spec."""
    return C4QualityFilter(spec)
