"""What filters share: the verdict, the comparison with a limit, and the count of repeated elements."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from workers.curation.document import Document, Drop
from workers.curation.text import Span, Text

Verdict = Text | Drop
"""The text to go on with (the one given, or a shortened one), or why the document is dropped."""

Figure = tuple[str, float, Span | None]
"""Name of the spec's field that limits it, the figure, and the characters that decided."""


class Filter(Protocol):
    """One filter of a recipe."""

    languages: frozenset[str]
    """Languages it judges; empty: all."""

    def judge(self, document: Document, text: Text) -> Verdict:
        """Keep or drop. `text` is the document's text as the filters before left it. Figures go into the document."""
        ...


def first_breach(spec: Any, document: Document, figures: Iterable[Figure]) -> Drop | None:
    """The first figure beyond its limit. Limits called `min_*` bound from below, all others from above; None is off.

    `<field>.<n>` is the limit for n where the field holds one by n. Figures up to the first breach go into
    `document.figures`, by rule.
    """
    for name, figure, span in figures:
        field, _, n = name.partition(".")
        limit = getattr(spec, field)[int(n)] if n else getattr(spec, field)
        rule = f"{spec.kind}.{name}"
        document.figures[rule] = float(figure)
        if limit is not None and (figure < limit if name.startswith("min_") else figure > limit):
            return Drop(rule, float(figure), float(limit), span)
    return None


@dataclass(slots=True, frozen=True)
class Repeats:
    """Elements that were there before, and their characters."""

    num_elements: int
    num_chars: int
    first: str | None
    """The first element that came a second time."""

    def span(self, text: str) -> Span | None:
        """Where the first of them stands a second time."""
        if not self.first:
            return None
        start = text.find(self.first, text.find(self.first) + len(self.first))
        return None if start < 0 else (start, start + len(self.first))


NO_REPEATS = Repeats(0, 0, None)


def count_repeats(elements: Sequence[str]) -> Repeats:
    """Count each element that equals an earlier one (Gopher, arXiv 2112.11446)."""
    if len(set(elements)) == len(elements):
        return NO_REPEATS
    seen: set[str] = set()
    repeated: list[str] = []
    for element in elements:
        if element in seen:
            repeated.append(element)
        seen.add(element)
    first = next((element for element in repeated if element), None)
    return Repeats(len(repeated), sum(map(len, repeated)), first)
