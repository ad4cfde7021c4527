"""C4's rules (arXiv 1910.10683) as FineWeb uses them, without terminal punctuation: datatrove 0.10.1.

Lines go first (too few words, an overlong word, JavaScript, policies), then pages. A kept page is what its lines left,
without Wikipedia's citation marks.
"""

import re
from itertools import pairwise

from workers.curation.document import Document, Drop
from workers.curation.filters._shared import Verdict, first_breach
from workers.curation.text import Text, count_sentences
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
        kept: list[str] = []
        for start, end in _line_spans(text.text):
            line = self._clean(text.text[start:end])
            if line is None:
                continue
            if drop := self._condemned_page(text.text, line, start, end):
                return drop
            if self._keeps(line):
                kept.append(line)
        sentences = sum(map(count_sentences, kept))
        if drop := first_breach(self.spec, [("min_sentences", sentences, None)]):
            return drop
        shortened = "\n".join(kept).strip()
        if not shortened:
            return Drop("c4_quality.min_words_per_line", 0.0, float(self.spec.min_words_per_line))
        return text if shortened == text.text else Text(shortened, text.language)

    def _clean(self, line: str) -> str | None:
        """The line without citation marks; None when its words are too few or too long."""
        words = line.split()
        if len(words) < self.spec.min_words_per_line or any(len(word) > self.spec.max_word_length for word in words):
            return None
        return _CITATION.sub("", line.strip())

    def _condemned_page(self, text: str, line: str, start: int, end: int) -> Drop | None:
        lower = line.lower()
        if self.spec.drop_lorem_ipsum and "lorem ipsum" in lower:
            at = text.lower().find("lorem ipsum", start)
            return Drop("c4_quality.drop_lorem_ipsum", 1.0, 0.0, (at, at + len("lorem ipsum")))
        # A JavaScript line goes before its brackets are looked at.
        if self.spec.drop_curly_bracket and "{" in line and not self._is_javascript(lower):
            at = text.find("{", start, end)
            return Drop("c4_quality.drop_curly_bracket", float(text.count("{")), 0.0, (at, at + 1))
        return None

    def _keeps(self, line: str) -> bool:
        lower = line.lower()
        is_policy = self.spec.drop_policy_lines and any(phrase in lower for phrase in _POLICIES)
        return not (is_policy or self._is_javascript(lower))

    def _is_javascript(self, lower: str) -> bool:
        return self.spec.drop_javascript_lines and "javascript" in lower


def _line_spans(text: str) -> list[tuple[int, int]]:
    """Spans of the lines of `str.splitlines`."""
    breaks = [(0, 0), *(match.span() for match in _LINE_BREAK.finditer(text)), (len(text), len(text))]
    return [(before[1], after[0]) for before, after in pairwise(breaks)]


def build(spec: C4Quality) -> C4QualityFilter:
    """The filter of this spec."""
    return C4QualityFilter(spec)
