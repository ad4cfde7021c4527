"""Counts of a curation run: the funnel by stage, language and source, what each rule dropped, what is left.

Sums of the summaries of chunks (`workers.curation.summaries`).
"""

import bisect
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

UNKNOWN = "unknown"
"""Language of what was rejected or dropped before it was identified."""
OTHER = "other"
"""Sources beyond the largest ones."""
MAX_SOURCES = 50
LENGTH_EDGES = [0, *(round(m * 10**e) for e in range(2, 7) for m in (1, 1.5, 2, 3, 5, 7)), 10_000_000]
"""Characters; the last bin is open."""

Table = dict[str, Counter[str]]


def source_name(source: str) -> str:
    """Under what a document is counted: the first part of its path, without a record's number."""
    return source.split("/", 1)[0].split("#", 1)[0]


def largest_sources(files: Iterable[tuple[str, int]]) -> list[str]:
    """Names of the sources with most bytes, from the input's files (path, bytes)."""
    sizes: Counter[str] = Counter()
    for path, num_bytes in files:
        sizes[source_name(path)] += num_bytes
    return [name for name, _ in sorted(sizes.items(), key=lambda item: (-item[1], item[0]))[:MAX_SOURCES]]


def length_bin(num_chars: int) -> int:
    """The bin of `LENGTH_EDGES` that a text falls into."""
    return min(bisect.bisect_right(LENGTH_EDGES, num_chars), len(LENGTH_EDGES) - 1) - 1


class Statistics:
    """Documents and bytes that came through each stage, in the order of the stages.

    `sources`: those that are counted by name, the others together.
    """

    def __init__(self, stages: list[str], sources: Iterable[str]) -> None:
        self.stages = stages
        self._named = frozenset(sources)
        self.rejects: Counter[str] = Counter()
        self.replaced: Counter[str] = Counter()
        """Personal data, by kind."""
        self._languages: dict[str, tuple[Counter[str], Counter[str]]] = {s: (Counter(), Counter()) for s in stages}
        self._sources: dict[str, tuple[Counter[str], Counter[str]]] = {s: (Counter(), Counter()) for s in stages}
        self._dropped: dict[str, Table] = {stage: defaultdict(Counter) for stage in stages}
        self._kept: dict[str, dict[str, Counter[str]]] = {
            n: defaultdict(Counter) for n in ("documents", "bytes", "words")
        }
        self._lengths: dict[str, list[int]] = {}

    def add(self, summary: dict[str, Any], stages: Sequence[str]) -> None:
        """Add the summary of a chunk that covers these stages."""
        for language, source, documents, num_bytes in summary["passed"]:
            for stage, count, size in zip(stages, documents, num_bytes, strict=True):
                if count:
                    self._add_passed(stage, language, self._name(source), count, size)
        for stage, rule, language, count in summary["dropped"]:
            self._dropped[stage][rule][language] += count
        for _, reason, _ in summary["rejects"]:
            self.rejects[reason] += 1
        self.replaced.update(dict(summary.get("pii", ())))
        for language, source, count in summary.get("words", ()):
            self._kept["words"][self._name(source)][language] += count
        for language, counts in summary.get("lengths", ()):
            self._lengths[language] = [
                a + b for a, b in zip(self._lengths.get(language, [0] * len(counts)), counts, strict=True)
            ]

    def _name(self, source: str) -> str:
        return source if source in self._named else OTHER

    def _add_passed(self, stage: str, language: str, source: str, count: int, size: int) -> None:
        for counters, name in ((self._languages, language), (self._sources, source)):
            counters[stage][0][name] += count
            counters[stage][1][name] += size
        if stage == self.stages[-1]:
            self._kept["documents"][source][language] += count
            self._kept["bytes"][source][language] += size

    @property
    def num_read(self) -> int:
        """Records met, readable or not."""
        return self._languages[self.stages[0]][0].total()

    @property
    def num_kept(self) -> int:
        """Documents that came through all stages."""
        return self._languages[self.stages[-1]][0].total()

    @property
    def num_rejects(self) -> int:
        """Records that could not be read."""
        return self.rejects.total()

    def worst_rule(self) -> tuple[str, int]:
        """The rule that dropped most documents, and how many."""
        totals = {rule: n.total() for rules in self._dropped.values() for rule, n in rules.items()}
        totals |= {f"unreadable ({reason})": n for reason, n in self.rejects.items()}
        return max(totals.items(), key=lambda item: (item[1], item[0]), default=("nothing", 0))

    def as_metrics(self) -> dict[str, float]:
        """Totals as series: `documents/kept/<language>`, `documents/dropped/<rule>`, `documents/rejected/<reason>`."""
        kept = {f"documents/kept/{language}": n for language, n in self._languages[self.stages[-1]][0].items()}
        rules = {f"documents/dropped/{r}": n.total() for rules in self._dropped.values() for r, n in rules.items()}
        rejected = {f"documents/rejected/{reason}": n for reason, n in self.rejects.items()}
        return {key: float(n) for key, n in sorted({**kept, **rules, **rejected}.items())}

    def as_dict(self) -> dict[str, Any]:
        """For statistics.json; equal counts give an equal dict, order included."""
        dropped = {rule: _sorted(n) for rules in self._dropped.values() for rule, n in sorted(rules.items())}
        return {
            "documents": {"read": self.num_read, "kept": _sorted(self._languages[self.stages[-1]][0])},
            "dropped": dropped,
            "rejects": _sorted(self.rejects),
            "funnel": [self._stage(stage) for stage in self.stages],
            "pii": _sorted(self.replaced),
            "sources": {
                source: {name: _sorted(table[source]) for name, table in self._kept.items()}
                for source in sorted(self._kept["documents"])
            },
            "lengths": {"edges": LENGTH_EDGES, "documents": dict(sorted(self._lengths.items()))},
        }

    def _stage(self, stage: str) -> dict[str, Any]:
        (documents, num_bytes), (by_source, source_bytes) = self._languages[stage], self._sources[stage]
        return {
            "stage": stage,
            "documents": _sorted(documents),
            "bytes": _sorted(num_bytes),
            "dropped": {rule: _sorted(n) for rule, n in sorted(self._dropped[stage].items())},
            "sources": {
                name: {"documents": count, "bytes": source_bytes[name]} for name, count in sorted(by_source.items())
            },
        }


def _sorted(counter: Counter[str]) -> dict[str, int]:
    return dict(sorted(counter.items()))
