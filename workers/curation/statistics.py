"""Counts of a curation run: the funnel by stage and language, what each rule dropped, what could not be read."""

from collections import Counter, defaultdict
from typing import Any

UNKNOWN = "unknown"
"""Language of what was rejected or dropped before it was identified."""


class Statistics:
    """Documents and bytes that came through each stage, in the order of the stages."""

    def __init__(self, stages: list[str]) -> None:
        self.stages = stages
        self.rejects: Counter[str] = Counter()
        self._documents: dict[str, Counter[str]] = {stage: Counter() for stage in stages}
        self._bytes: dict[str, Counter[str]] = {stage: Counter() for stage in stages}
        self._dropped: dict[str, dict[str, Counter[str]]] = {stage: defaultdict(Counter) for stage in stages}

    def keep(self, stage: str, language: str, num_bytes: int) -> None:
        """A document came through a stage."""
        self._documents[stage][language or UNKNOWN] += 1
        self._bytes[stage][language or UNKNOWN] += num_bytes

    def drop(self, stage: str, rule: str, language: str) -> None:
        """A document ended in a stage."""
        self._dropped[stage][rule][language or UNKNOWN] += 1

    def reject(self, reason: str) -> None:
        """A record could not be read. It counts as read."""
        self.rejects[reason] += 1

    @property
    def num_read(self) -> int:
        """Records met, readable or not."""
        return self._documents[self.stages[0]].total()

    @property
    def num_kept(self) -> int:
        """Documents that came through all stages."""
        return self._documents[self.stages[-1]].total()

    def worst_rule(self) -> tuple[str, int]:
        """The rule that dropped most documents, and how many."""
        totals = {rule: n.total() for rules in self._dropped.values() for rule, n in rules.items()}
        totals |= {f"unreadable ({reason})": n for reason, n in self.rejects.items()}
        return max(totals.items(), key=lambda item: (item[1], item[0]), default=("nothing", 0))

    def as_metrics(self) -> dict[str, float]:
        """Totals as series: `documents/kept/<language>`, `documents/dropped/<rule>`, `documents/rejected/<reason>`."""
        kept = {f"documents/kept/{language}": n for language, n in self._documents[self.stages[-1]].items()}
        rules = {f"documents/dropped/{r}": n.total() for rules in self._dropped.values() for r, n in rules.items()}
        rejected = {f"documents/rejected/{reason}": n for reason, n in self.rejects.items()}
        return {key: float(n) for key, n in sorted({**kept, **rules, **rejected}.items())}

    def as_dict(self) -> dict[str, Any]:
        """For statistics.json; equal counts give an equal dict, order included."""
        dropped = {rule: _sorted(n) for rules in self._dropped.values() for rule, n in sorted(rules.items())}
        return {
            "documents": {"read": self.num_read, "kept": _sorted(self._documents[self.stages[-1]])},
            "dropped": dropped,
            "rejects": _sorted(self.rejects),
            "funnel": [
                {
                    "stage": stage,
                    "documents": _sorted(self._documents[stage]),
                    "bytes": _sorted(self._bytes[stage]),
                    "dropped": {rule: _sorted(n) for rule, n in sorted(self._dropped[stage].items())},
                }
                for stage in self.stages
            ],
        }


def _sorted(counter: Counter[str]) -> dict[str, int]:
    return dict(sorted(counter.items()))
