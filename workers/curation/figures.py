"""Figures of a dataset version: documents, words, tokens and bytes by language and source; histograms."""

import bisect
from collections import Counter, defaultdict
from typing import Any

from workers.curation.plan import OTHER
from workers.data.shards import Split

SPLITS: tuple[Split, Split] = ("train", "heldout")
AMOUNTS = ("documents", "words", "tokens", "bytes")
MAX_SOURCES = 50
_LENGTHS = [0, *(1 << power for power in range(4, 24))]
_SCORES = [round(0.05 * n, 2) for n in range(21)]
_QUALITIES = [round(0.25 * n, 2) for n in range(21)]


class Histogram:
    """Counts between edges, by language. What lies below the first or above the last edge goes to the outer bins."""

    def __init__(self, edges: list[float]) -> None:
        self.edges = edges
        self._counts: dict[str, list[int]] = defaultdict(lambda: [0] * (len(edges) - 1))

    def add(self, language: str, value: float) -> None:
        """Count a value."""
        place = bisect.bisect_right(self.edges, value) - 1
        self._counts[language][min(max(place, 0), len(self.edges) - 2)] += 1

    def as_dict(self) -> dict[str, Any]:
        """`{"edges": [n + 1], "documents": {language: [n]}}`."""
        return {"edges": self.edges, "documents": dict(sorted(self._counts.items()))}


class Figures:
    """Counted while documents are packed; each document once, however many copies are trained on."""

    def __init__(self) -> None:
        self._tables: dict[str, dict[str, dict[str, int]]] = {name: {} for name in AMOUNTS}
        self._sources: dict[str, Counter[str]] = defaultdict(Counter)
        self._buckets: dict[str, Counter[str]] = defaultdict(Counter)
        self._histograms = {
            "length_tokens": Histogram([float(n) for n in _LENGTHS]),
            "language_score": Histogram(_SCORES),
            "quality_score": Histogram(_QUALITIES),
        }
        self.num_copies = 0
        self.copied_tokens = 0

    def add(self, row: dict[str, Any], source: str, num_words: int) -> None:
        """Count a row of the documents."""
        language, split = row["language"], row["split"]
        amounts = {
            "documents": 1, "words": num_words, "tokens": row["num_tokens"], "bytes": len(row["text"].encode("utf-8")),
        }  # fmt: skip
        for name, amount in amounts.items():
            by_split = self._tables[name].setdefault(language, dict.fromkeys(SPLITS, 0))
            by_split[split] += amount
        self._sources[source].update(amounts)
        self._histograms["length_tokens"].add(language, row["num_tokens"])
        self._histograms["language_score"].add(language, row["language_score"])
        if row["quality_score"] is not None:
            self._histograms["quality_score"].add(language, row["quality_score"])
        if row["quality_bucket"] is not None:
            self._buckets[str(row["quality_bucket"])].update(amounts)

    def add_copy(self, num_tokens: int) -> None:
        """Count one more copy for training."""
        self.num_copies += 1
        self.copied_tokens += num_tokens

    def as_dict(self) -> dict[str, Any]:
        """For dataset.json; equal counts give an equal dict, order included."""
        tables = {name: dict(sorted(table.items())) for name, table in self._tables.items()}
        return {
            **tables,
            "sources": self._largest_sources(),
            "quality_buckets": {bucket: dict(amounts) for bucket, amounts in sorted(self._buckets.items())},
            "copies": {"documents": self.num_copies, "tokens": self.copied_tokens},
            "histograms": {name: histogram.as_dict() for name, histogram in self._histograms.items()},
            "fertility": self._ratios("tokens", "words"),
            "bytes_per_token": self._ratios("bytes", "tokens"),
        }

    def _largest_sources(self) -> dict[str, dict[str, int]]:
        order = sorted(self._sources, key=lambda source: (source == OTHER, -self._sources[source]["bytes"], source))
        shown = {source: dict(self._sources[source]) for source in order[:MAX_SOURCES]}
        if rest := order[MAX_SOURCES:]:
            total: Counter[str] = Counter(shown.get(OTHER, {}))
            for source in rest:
                total.update(self._sources[source])
            shown[OTHER] = dict(total)
        return shown

    def _ratios(self, upper: str, lower: str) -> dict[str, float]:
        """One total over another, by language."""
        return {
            language: round(sum(by_split.values()) / max(1, sum(self._tables[lower][language].values())), 4)
            for language, by_split in sorted(self._tables[upper].items())
        }
