"""The links of a spec as a chain: each one's key covers its own settings and code and those of all before it.

So a spec with one changed filter shares its keys with the old one up to that filter, and the journal's entries too.
"""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from workers.curation.fingerprint import package_versions
from workers.curation.links import Link, judges_early, layers
from workers.curation.sources import code_digest, content_digests, named_files
from workers.specs.curation import CurationSpec

_FORMAT = 1
"""Raised when entries of the journal are written in another way."""
_LIMITS_OF_READING = {"max_reject_share"}
_ONLY_JUDGED = {"memory_mb", "rehydrate", "copies", "before_filters"}
"""Settings of dedup that no signature depends on."""


@dataclass
class Chain:
    """The links of a spec."""

    spec: CurationSpec

    @cached_property
    def first(self) -> list[Link]:
        """Before dedup; the last two are `sign` and `summary`, which nothing is replayed from."""
        links: list[Link] = []
        if judges_early(self.spec):
            self._add(links, "url", self._filter_settings([0]), ("workers.curation.filters.url",), (0,))
        self._add(links, "base", self._base_settings(), _BASE_MODULES)
        if not self.spec.dedup.before_filters:
            self._add_filters(links)
        signing = self.spec.dedup.model_dump(mode="json", exclude=_ONLY_JUDGED)
        self._add(links, "sign", signing, ("workers.curation.dedup.signature",))
        self._add(links, "summary", self._summary_settings(), _SUMMARY_MODULES)
        return links

    def second(self, lines: str) -> list[Link]:
        """After dedup, for chunks that are named with their verdicts; `lines`: digest of the lines that too many share.

        The last two are `clean`, the documents as lines, and `final`, their summary.
        """
        links = [Link("dedup", _digest(self.first[-2].key))]
        if self.spec.dedup.lines:
            self._add(links, "lines", lines, ("workers.curation.dedup.lines",))
        if self.spec.dedup.before_filters:
            self._add_filters(links)
        self._add(links, "clean", self.spec.pii.model_dump(mode="json"), ("workers.curation.pii",))
        self._add(links, "final", self._summary_settings(), _SUMMARY_MODULES)
        return links

    def plan_key(self, files: list[list[Any]]) -> str:
        """Key of the way in which an input is cut into chunks."""
        limits = self.spec.limits.model_dump(mode="json", exclude=_LIMITS_OF_READING)
        code = code_digest("workers.curation.readers", "workers.curation.chunks")
        return _digest(_FORMAT, files, limits, self.spec.max_documents, code, package_versions())

    def _add(
        self, links: list[Link], name: str, settings: Any, modules: tuple[str, ...], filters: tuple[int, ...] = ()
    ) -> None:
        before = links[-1].key if links else _digest(_FORMAT, package_versions())
        links.append(Link(name, _digest(before, name, settings, code_digest(*modules)), filters))

    def _add_filters(self, links: list[Link]) -> None:
        for layer in layers(self.spec.filters, judges_early(self.spec)):
            modules = tuple(sorted({f"workers.curation.filters.{self.spec.filters[i].kind}" for i in layer}))
            self._add(links, "filters", self._filter_settings(layer), modules, tuple(layer))

    def _filter_settings(self, positions: list[int]) -> list[Any]:
        settings = []
        for position in positions:
            values = self.spec.filters[position].model_dump(mode="json")
            paths = [Path(name) for name in named_files(values)]
            settings.append([values, content_digests(paths)])
        return settings

    def _base_settings(self) -> Any:
        wanted = {"html_extractor", "pdf_extractor", "repair_text", "language", "limits"}
        settings = self.spec.model_dump(mode="json", include=wanted)
        settings["limits"] = {k: v for k, v in settings["limits"].items() if k not in _LIMITS_OF_READING}
        return settings

    def _summary_settings(self) -> list[Any]:
        """Thresholds are among them: the bins of histograms depend on them."""
        rules = self.spec.model_dump(mode="json", include={"filters", "language", "samples_per_rule"})
        return [rules, judges_early(self.spec)]


_BASE_MODULES = (
    "workers.curation.extractors",
    "workers.curation.language",
    "workers.curation.repair",
)
_SUMMARY_MODULES = ("workers.curation.summaries",)


def _digest(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=True).encode()).hexdigest()
