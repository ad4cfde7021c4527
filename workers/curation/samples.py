"""Kept and dropped documents for the browser: so many a rule and language, picked evenly by the hash in their id."""

import heapq
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from workers.curation.document import Document, Drop
from workers.curation.pii import replace_pii
from workers.curation.statistics import UNKNOWN
from workers.specs.curation import Pii

MAX_CHARS = 4000
_LEAD = 1000

Sample = dict[str, Any]
"""Fields as in `app.schemas.Sample`."""

Place = tuple[int, int]
"""Number of the chunk, and of the page in it."""


def make_sample(document: Document, text: str, drop: Drop | None, pii: Pii) -> Sample:
    """A document with its verdict. Of a long text, the part around the span that decided, or the beginning.

    What `pii` names is replaced in the text that is shown, whether the document came as far as that stage or not.
    """
    span = drop.span if drop else None
    start = max(0, span[0] - _LEAD) if span and span[1] > MAX_CHARS else 0
    shown = text[start : start + MAX_CHARS]
    if span:
        span = (span[0] - start, min(span[1] - start, len(shown)))
    is_cut = len(shown) < len(text)
    shown, span = _without_pii(shown, span, pii, document.language)
    return {
        "document_id": document.id,
        "source": document.source,
        "url": document.url,
        "language": document.language or UNKNOWN,
        "rule": drop.rule if drop else None,
        "figure": drop.figure if drop else None,
        "threshold": drop.threshold if drop else None,
        "span": span,
        "text": shown,
        "truncated": is_cut,
        "figures": document.figures,
        "score": document.metadata.get("quality_score"),
    }


def _without_pii(
    text: str, span: tuple[int, int] | None, pii: Pii, language: str
) -> tuple[str, tuple[int, int] | None]:
    replaced = replace_pii(text, pii, language)
    if span is None or replaced == text:
        return replaced, span
    # In three parts, so that the span stays known; it grows to the ends of lines, lest it cut an address in two.
    start = text.rfind("\n", 0, span[0]) + 1
    end = text.find("\n", span[1])
    end = len(text) if end < 0 else end
    parts = [replace_pii(part, pii, language) for part in (text[:start], text[start:end], text[end:])]
    return "".join(parts), (len(parts[0]), len(parts[0]) + len(parts[1]))


def rank(document_id: str) -> int:
    """By which samples are picked: the id is a hash, so it is as good as chance, and always the same."""
    try:
        return int(document_id[:16], 16)
    except ValueError:
        return 0


class Picks:
    """Places of the pages with the smallest ranks of each rule and language; a few numbers each, no texts."""

    def __init__(self, per_rule: int) -> None:
        self.per_rule = per_rule
        self._heaps: dict[tuple[str, str], list[tuple[int, int, int]]] = defaultdict(list)

    def offer(self, rule: str, language: str, ranks: list[list[int]], chunk: int) -> None:
        """Offer pages of a chunk, as [rank, page]."""
        heap = self._heaps[rule, language]
        for page_rank, page in ranks:
            entry = (-page_rank, -chunk, -page)
            if len(heap) < self.per_rule:
                heapq.heappush(heap, entry)
            elif entry > heap[0]:
                heapq.heapreplace(heap, entry)

    def by_chunk(self) -> dict[int, list[int]]:
        """The pages that were picked, by chunk."""
        found: dict[int, list[int]] = defaultdict(list)
        for heap in self._heaps.values():
            for _, chunk, page in heap:
                found[-chunk].append(-page)
        return {chunk: sorted(set(pages)) for chunk, pages in sorted(found.items())}

    def in_order(self) -> Iterator[Place]:
        """Kept ones first, then by rule and language; the smallest ranks first."""
        for _, heap in sorted(self._heaps.items()):
            yield from ((-chunk, -page) for _, chunk, page in sorted(heap, reverse=True))


def pick(candidates: dict[tuple[str, str], list[tuple[int, int]]], per_rule: int) -> list[Any]:
    """What a chunk offers: [rule, language, [[rank, page], ...]], never more than can be picked."""
    if not per_rule:
        return []
    return [
        [rule, language, [list(entry) for entry in heapq.nsmallest(per_rule, entries)]]
        for (rule, language), entries in sorted(candidates.items())
    ]
