"""What of a benchmark's item must not stand in training text: its question, or its text with the right ending.

Wrong answers are left out, and short ones: they stand in many texts by themselves. Sources of the sets: arXiv
1803.05457 (ARC), 1905.07830 (HellaSwag), 1911.11641 (PIQA), 1707.06209 (SciQ).
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from workers.data.benchmarks import find_benchmark, read_rows

Row = dict[str, Any]


class MissingBenchmarkError(ValueError):
    """A benchmark is unknown, or its file is absent; the message says how to fetch it."""


def read_items(name: str, home: Path) -> list[list[str]]:
    """The items of a benchmark, each with its passages.

    Raises MissingBenchmarkError, or ValueError when the file is damaged.
    """
    if name not in PASSAGES:
        raise MissingBenchmarkError(f"unknown benchmark {name!r}; there are: {', '.join(sorted(PASSAGES))}")
    path = find_benchmark(name, home)
    if path is None:
        raise MissingBenchmarkError(
            f"{name}: its file is absent. Fetch it once with: python -m workers.data.benchmarks fetch --home {home}"
        )
    return [PASSAGES[name](row) for row in read_rows(path)]


def _arc(row: Row) -> list[str]:
    """The question alone: an answer like "Earth rotates on its axis" is a sentence of any textbook."""
    return [row["question"]]


def _hellaswag(row: Row) -> list[str]:
    """The context runs on into its right ending."""
    return [_clean(f"{row['ctx']} {row['endings'][int(row['label'])]}")]


def _piqa(row: Row) -> list[str]:
    return [f"{row['goal']} {row['sol2' if int(row['label']) else 'sol1']}"]


def _sciq(row: Row) -> list[str]:
    return [row["question"], row["support"]]


def _clean(text: str) -> str:
    """HellaSwag's WikiHow part carries marks like `[title]` and `[step]`."""
    return re.sub(r"\[.*?\]", " ", text)


PASSAGES: dict[str, Callable[[Row], list[str]]] = {
    "arc_easy": _arc,
    "hellaswag": _hellaswag,
    "piqa": _piqa,
    "sciq": _sciq,
}
