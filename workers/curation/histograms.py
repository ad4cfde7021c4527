"""How each rule's figure is spread over the documents that reached it, with the rule's threshold as an edge.

A document at the threshold is kept, so bins are closed on the kept side: [a, b) for a lower bound, (a, b] for an upper
one. Then all bins beyond the threshold together are what the rule drops, wherever the threshold is moved to an edge.
"""

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from workers.specs.curation import CurationSpec
from workers.specs.curation.decontamination import Decontamination

Bound = Literal["min", "max"]
Counts = npt.NDArray[np.int64]

_SHARE_EDGES = np.round(np.linspace(0, 1, 51), 2)
_RATIO_EDGES = np.round(np.concatenate([np.linspace(0, 1, 51), np.linspace(1.25, 3, 8)]), 2)
_LENGTH_EDGES = np.round(np.linspace(0, 20, 81), 2)
_SCORE_EDGES = np.round(np.linspace(0, 5, 51), 1)
_MANTISSAS = (1, 1.25, 1.5, 2, 2.5, 3, 4, 5, 6, 8)
_COUNT_EDGES = np.unique([0.0, *(np.ceil(m * 10**e) for e in range(6) for m in _MANTISSAS), 1e6])

# By what the name of a rule's field ends with; a share else.
_EDGES = (
    (("word_length", "mean_word_length"), _LENGTH_EDGES),
    (("words", "sentences", "count", "words_per_line", "ngrams", "documents", "chars"), _COUNT_EDGES),
    (("word_ratio", "symbol_word_ratio"), _RATIO_EDGES),
)
_SCORE_KINDS = {"quality_score"}


@dataclass(slots=True, frozen=True)
class Bins:
    """Bins of one rule for one language."""

    bound: Bound
    threshold: float | None
    edges: npt.NDArray[np.float64]
    """(n + 1,); the first and the last bin are open."""

    def count(self, figures: list[float], sizes: list[int]) -> tuple[Counts, Counts]:
        """Documents and bytes in each bin, (n,) each."""
        side: Literal["left", "right"] = "right" if self.bound == "min" else "left"
        places = np.searchsorted(self.edges[1:-1], np.asarray(figures), side=side)
        num_bins = len(self.edges) - 1
        documents = np.bincount(places, minlength=num_bins)
        num_bytes = np.bincount(places, weights=np.asarray(sizes, dtype=np.float64), minlength=num_bins)
        return documents.astype(np.int64), num_bytes.astype(np.int64)


class Binning:
    """The bins of a spec's rules, by rule (`<filter kind>.<field>`, with `.<n>` where a field has one limit each n)."""

    def __init__(self, spec: CurationSpec) -> None:
        self.spec = spec
        self._bins: dict[tuple[str, str], Bins] = {}

    def bins(self, rule: str, language: str) -> Bins:
        """The same for equal specs, whatever the documents."""
        found = self._bins.get((rule, language))
        if found is None:
            found = self._bins[rule, language] = self._make(rule, language)
        return found

    def _make(self, rule: str, language: str) -> Bins:
        kind, _, name = rule.partition(".")
        field, _, key = name.partition(".")
        threshold = self._threshold(kind, field, key, language)
        edges = _SCORE_EDGES if kind in _SCORE_KINDS else _edges(field)
        if threshold is not None:
            # Never the outermost edge, beyond which documents are counted together with those before it.
            below = [edges[0] - 1] if threshold <= edges[0] else []
            above = [edges[-1] + 1] if threshold >= edges[-1] else []
            edges = np.union1d(edges, [*below, threshold, *above])
        return Bins("min" if field.startswith("min_") else "max", threshold, edges)

    def _threshold(self, kind: str, field: str, key: str, language: str) -> float | None:
        if kind == "language":
            settings = self.spec.language
            return settings.min_score_by_language.get(language, settings.min_score) if field == "min_score" else None
        for filter_ in self.spec.filters:
            if filter_.kind == kind and (not filter_.languages or language in filter_.languages):
                if isinstance(filter_, Decontamination) and not field.endswith("_items"):  # one rule a set
                    return math.nextafter(filter_.min_item_share, 0.0)  # a document at the share goes
                return _number(getattr(filter_, field, None), key)
        return None


class Histograms:
    """Sums of the counts of chunks."""

    def __init__(self, binning: Binning) -> None:
        self.binning = binning
        self._sums: dict[tuple[str, str], tuple[Counts, Counts]] = {}

    def add(self, rule: str, language: str, documents: list[int], num_bytes: list[int]) -> None:
        """Counts of one chunk, in the rule's bins."""
        new = np.array(documents, dtype=np.int64), np.array(num_bytes, dtype=np.int64)
        old = self._sums.get((rule, language))
        self._sums[rule, language] = (old[0] + new[0], old[1] + new[1]) if old else new

    def as_list(self) -> list[dict[str, Any]]:
        """For histograms.json, by rule and language."""
        found = []
        for (rule, language), (documents, num_bytes) in sorted(self._sums.items()):
            bins = self.binning.bins(rule, language)
            found.append(
                {
                    "rule": rule,
                    "language": language,
                    "bound": bins.bound,
                    "threshold": bins.threshold,
                    "edges": bins.edges.tolist(),
                    "documents": documents.tolist(),
                    "bytes": num_bytes.tolist(),
                }
            )
        return found


def _edges(field: str) -> npt.NDArray[np.float64]:
    edges = next((edges for ends, edges in _EDGES if field.endswith(ends)), _SHARE_EDGES)
    return edges.astype(np.float64)


def _number(value: Any, key: str) -> float | None:
    if isinstance(value, dict):
        value = value.get(int(key)) if key.isdigit() else value.get(key)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
