"""Documents that hold items of an evaluation set go: by n-grams of words (GPT-3, arXiv 2005.14165, appendix C).

An item counts as held when a document has the set share of the n-grams of one of its passages (question with context,
right answer). Items of fewer than five words are not looked for: "What is heat?" stands in any textbook.
"""

import os
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import orjson

from workers.curation.document import Document, Drop
from workers.curation.filters._lists import read_list
from workers.curation.filters._shared import Verdict
from workers.curation.overlap import Found, OverlapIndex, count_words
from workers.curation.text import Text
from workers.data.benchmark_items import MissingBenchmarkError, read_items
from workers.specs.curation.decontamination import Decontamination

_MIN_WORDS = 5
_JSON_FIELDS = ("text", "question", "prompt", "context")


@dataclass(slots=True, frozen=True)
class _Origin:
    """Where a passage comes from."""

    benchmark: str
    item: int


class DecontaminationFilter:
    """One index over the passages of all sets."""

    def __init__(self, spec: Decontamination) -> None:
        self.spec = spec
        self.languages = frozenset(spec.languages)
        passages: list[str] = []
        self.origins: list[_Origin] = []
        for benchmark, items in _read_all(spec).items():
            for number, item in enumerate(items):
                kept = _worth_finding(item)
                passages += kept
                self.origins += [_Origin(benchmark, number)] * len(kept)
            if not any(origin.benchmark == benchmark for origin in self.origins):
                raise ValueError(f"decontamination: {benchmark} has no item of at least {_MIN_WORDS} words")
        self.benchmarks = list(dict.fromkeys(origin.benchmark for origin in self.origins))
        self.index = OverlapIndex(passages, spec.ngram)

    def judge(self, document: Document, text: Text) -> Verdict:
        """Figures: `decontamination.<set>`, the greatest share of an item; `<set>_items`, items held, if any are."""
        document.figures |= {f"decontamination.{benchmark}": 0.0 for benchmark in self.benchmarks}
        found = self.index.find(text.text)
        if not found:
            return text
        held: dict[str, set[int]] = defaultdict(set)
        worst: Found | None = None
        for one in found:
            origin = self.origins[one.passage]
            figure = f"decontamination.{origin.benchmark}"
            document.figures[figure] = max(document.figures[figure], one.share)
            if self._is_held(one):
                held[origin.benchmark].add(origin.item)
                worst = one if worst is None or one.share > worst.share else worst
        document.figures |= {f"decontamination.{name}_items": float(len(items)) for name, items in held.items()}
        if worst is None:
            return text
        rule = f"decontamination.{self.origins[worst.passage].benchmark}"
        return Drop(rule, worst.share, self.spec.min_item_share, self.index.span(text.text, worst.passage))

    def _is_held(self, found: Found) -> bool:
        least = min(self.spec.min_ngrams, found.num_ngrams)
        return found.share >= self.spec.min_item_share and found.num_found >= least


def _read_all(spec: Decontamination) -> dict[str, list[list[str]]]:
    """Set -> items -> passages."""
    home = Path(os.environ.get("HEADRACE_HOME", ".headrace")).absolute()
    sets: dict[str, list[list[str]]] = {}
    for name in spec.benchmarks:
        try:
            sets[name] = read_items(name, home)
        except MissingBenchmarkError as error:
            raise MissingBenchmarkError(f"decontamination.benchmarks: {error}") from None
    for name, path in spec.files.items():
        sets[name] = [_own_item(line) for line in read_list(f"decontamination.files.{name}", path)]
    return sets


def _own_item(line: str) -> list[str]:
    """An item out of a line: its text, or of a JSON object the fields that hold text."""
    if not line.startswith("{"):
        return [line]
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError:
        return [line]
    return [str(row[field]) for field in _JSON_FIELDS if row.get(field)]


def _worth_finding(passages: list[str]) -> list[str]:
    return [passage for passage in passages if count_words(passage) >= _MIN_WORDS]


def build(spec: Decontamination) -> DecontaminationFilter:
    """The filter of this spec. Raises ValueError when a set is missing, and says how to get it."""
    return DecontaminationFilter(spec)
