"""Kept and dropped documents for the browser: so many a rule and language, picked evenly by the hash in their id."""

import heapq
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from workers.curation.document import Document, Drop
from workers.curation.statistics import UNKNOWN

MAX_CHARS = 4000
_LEAD = 1000

Sample = dict[str, Any]
"""Fields as in `app.schemas.Sample`."""


def make_sample(document: Document, text: str, drop: Drop | None) -> Sample:
    """A document with its verdict. Of a long text, the part around the span that decided, or the beginning."""
    span = drop.span if drop else None
    start = max(0, span[0] - _LEAD) if span and span[1] > MAX_CHARS else 0
    shown = text[start : start + MAX_CHARS]
    if span:
        span = (span[0] - start, min(span[1] - start, len(shown)))
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
        "truncated": len(shown) < len(text),
    }


class Samples:
    """The samples with the smallest ids of each rule and language: ids are hashes, so the choice is even and stable."""

    def __init__(self, per_rule: int) -> None:
        self.per_rule = per_rule
        self._heaps: dict[tuple[str, str], list[tuple[int, int, Sample]]] = defaultdict(list)
        self._count = 0

    def add(self, sample: Sample) -> None:
        """Offer a sample."""
        if not self.per_rule:
            return
        heap = self._heaps[sample["rule"] or "", sample["language"]]
        self._count += 1
        entry = (-_rank(sample["document_id"]), self._count, sample)
        if len(heap) < self.per_rule:
            heapq.heappush(heap, entry)
        elif entry > heap[0]:
            heapq.heapreplace(heap, entry)

    def __iter__(self) -> Iterator[Sample]:
        """Kept ones first, then by rule and language."""
        for _, heap in sorted(self._heaps.items()):
            yield from (sample for _, _, sample in sorted(heap, key=lambda entry: (-entry[0], entry[1])))


def _rank(document_id: str) -> int:
    try:
        return int(document_id[:16], 16)
    except ValueError:
        return 0
