"""What a chunk adds to the statistics: small numbers, made by the workers so that the parent only adds them up."""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import orjson

from workers.curation.histograms import Binning
from workers.curation.pages import Page
from workers.curation.samples import pick, rank
from workers.curation.statistics import LENGTH_EDGES, UNKNOWN, length_bin, source_name
from workers.specs.curation import CurationSpec

_WORD = re.compile(r"\w+")


class Summarizer:
    """Summaries of chunks. `stages`: those that this summary covers, in their order."""

    def __init__(self, spec: CurationSpec, stages: Sequence[str], before: Sequence[str]) -> None:
        self.stages, self.before = list(stages), list(before)
        self.per_rule = spec.samples_per_rule
        self.is_last = stages[-1] == "pii"
        self._binning = Binning(spec)

    def summarize(self, pages: list[Page]) -> bytes:
        """JSON of the summary; pages that ended before the first of the stages are left out."""
        mine = [(number, page) for number, page in enumerate(pages) if page.stage not in self.before]
        dropped = Counter((p.stage, p.drop.rule, _language(p)) for _, p in mine if p.drop)
        summary = {
            "pages": len(mine),
            "alive": sum(page.is_alive for _, page in mine),
            "passed": self._passed(mine),
            "dropped": [[*key, n] for key, n in sorted(dropped.items())],
            "rejects": [[p.reject.source, p.reject.reason, p.reject.detail] for _, p in mine if p.reject],
            "histograms": self._histograms(mine),
            "samples": self._samples(mine),
        }
        if self.is_last:
            summary |= _contents(mine)
        return orjson.dumps(summary)

    def _passed(self, mine: list[tuple[int, Page]]) -> list[Any]:
        """[language, source, documents by stage, bytes by stage]."""
        sums: dict[tuple[str, str], tuple[list[int], list[int]]] = {}
        for _, page in mine:
            key = _language(page), source_name(page.document.source)
            documents, num_bytes = sums.setdefault(key, ([0] * len(self.stages), [0] * len(self.stages)))
            for at, size in enumerate(self._sizes_after(page)):
                documents[at] += 1
                num_bytes[at] += size
        return [[*key, *counts] for key, counts in sorted(sums.items())]

    def _sizes_after(self, page: Page) -> list[int]:
        """Bytes after each of the stages that the page came through."""
        size = self._size_before(page)
        sizes = []
        for stage in self.stages:
            if stage == page.stage:
                break
            size = page.sizes.get(stage, size)
            sizes.append(size)
        return sizes

    def _size_before(self, page: Page) -> int:
        return next((page.sizes[stage] for stage in reversed(self.before) if stage in page.sizes), 0)

    def _histograms(self, mine: list[tuple[int, Page]]) -> list[Any]:
        """[rule, language, documents by bin, bytes by bin]."""
        figures: dict[tuple[str, str], tuple[list[float], list[int]]] = defaultdict(lambda: ([], []))
        kinds = frozenset(self.stages)
        for _, page in mine:
            size, sizes = self._size_before(page), {}
            for stage in self.stages:
                sizes[stage] = size
                size = page.sizes.get(stage, size)
            language = _language(page)
            for rule, figure in page.document.figures.items():
                kind = rule.partition(".")[0]
                if kind in kinds:
                    entry = figures[rule, language]
                    entry[0].append(figure)
                    entry[1].append(sizes[kind])
        found = []
        for (rule, language), (values, num_bytes) in sorted(figures.items()):
            counts = self._binning.bins(rule, language).count(values, num_bytes)
            found.append([rule, language, counts[0].tolist(), counts[1].tolist()])
        return found

    def _samples(self, mine: list[tuple[int, Page]]) -> list[Any]:
        candidates: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
        for number, page in mine:
            if page.drop or (self.is_last and page.is_alive):
                rule = page.drop.rule if page.drop else ""
                candidates[rule, _language(page)].append((rank(page.document.id), number))
        return pick(candidates, self.per_rule)


def _contents(mine: list[tuple[int, Page]]) -> dict[str, Any]:
    """Words by language and source, and lengths by language, of the pages that are left."""
    words: Counter[tuple[str, str]] = Counter()
    lengths: dict[str, list[int]] = defaultdict(lambda: [0] * (len(LENGTH_EDGES) - 1))
    for _, page in mine:
        if page.is_alive:
            text = page.document.text
            words[_language(page), source_name(page.document.source)] += len(_WORD.findall(text))
            lengths[_language(page)][length_bin(len(text))] += 1
    replaced = sum((Counter(page.replaced) for _, page in mine), Counter[str]())
    return {
        "pii": sorted(replaced.items()),
        "words": [[*key, n] for key, n in sorted(words.items())],
        "lengths": sorted(lengths.items()),
    }


def _language(page: Page) -> str:
    return page.document.language or UNKNOWN
