"""What a dataset version shows of itself: samples, histograms of its filters, clusters of near-duplicates.

Of samples only offsets, rules and languages are held in memory; texts are read from the file when they are shown.
"""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from pydantic import TypeAdapter, ValidationError

from app.dataset_schemas import Cluster, Histogram
from app.schemas import Sample
from app.services.dataset_files import DatasetFiles, Files, damaged, find
from app.services.problems import not_found
from workers.specs.events import File

FILE = "samples.jsonl"
_HISTOGRAMS = TypeAdapter(list[Histogram])
_MAX_LINE = 1 << 20
_MAX_INDEXES = 8


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a sample lies in the file, and what it is filtered by."""

    offset: int
    num_bytes: int
    rule: str | None
    language: str


@dataclass(frozen=True, slots=True)
class SampleFilter:
    """What is asked for. `rule` is a whole rule or a filter's kind; `q` is found in text, URL and source."""

    rule: str | None = None
    language: str | None = None
    kept: bool | None = None
    q: str | None = None

    def fits(self, entry: Entry) -> bool:
        """Does it, by all but `q`?"""
        if self.kept is not None and self.kept != (entry.rule is None):
            return False
        if self.language is not None and self.language != entry.language:
            return False
        return self.rule is None or entry.rule == self.rule or (entry.rule or "").startswith(f"{self.rule}.")

    def found_in(self, sample: Sample) -> bool:
        """Does it hold the words of `q`, whatever their case?"""
        return not self.q or self.q.casefold() in f"{sample.text}\n{sample.url or ''}\n{sample.source}".casefold()


class SampleReader:
    """Reads samples; holds the indexes of the last few versions. One a process."""

    def __init__(self, files: DatasetFiles) -> None:
        self._files = files
        self._indexes: OrderedDict[str, list[Entry]] = OrderedDict()
        self._lock = asyncio.Lock()

    async def page(
        self, digest: str, files: Files, wanted: SampleFilter, start: int, limit: int
    ) -> tuple[list[Sample], int | None]:
        """At most `limit` samples from position `start` on, and the position of the next page (None: the end).

        Raises ProblemError when the version has no samples, or they are missing or damaged.
        """
        file = find(files, FILE)
        if file is None:
            raise not_found("sample file in dataset version", digest)
        path = await self._files.path(file)
        entries = await self._entries(file, path)
        return await asyncio.to_thread(_read_page, path, entries, wanted, start, limit)

    async def _entries(self, file: File, path: Path) -> list[Entry]:
        async with self._lock:  # one index at a time
            if file.sha256 not in self._indexes:
                self._indexes[file.sha256] = await asyncio.to_thread(_index, path)
            self._indexes.move_to_end(file.sha256)
            while len(self._indexes) > _MAX_INDEXES:
                self._indexes.popitem(last=False)
            return self._indexes[file.sha256]


async def read_histograms(cache: DatasetFiles, files: Files) -> list[Histogram]:
    """Histograms of the figures that filters measured; none for a version that was made before there were."""
    file = find(files, "histograms.json")
    if file is None:
        return []
    path = await cache.path(file)
    try:
        return _HISTOGRAMS.validate_json(await asyncio.to_thread(path.read_bytes))
    except ValidationError as error:
        raise damaged("histograms.json", str(error.errors()[0]["msg"])) from None


async def read_clusters(cache: DatasetFiles, files: Files, start: int, limit: int) -> tuple[list[Cluster], int | None]:
    """At most `limit` clusters from line `start` on, and the line of the next page (None: the end)."""
    file = find(files, "clusters.jsonl")
    if file is None:
        return [], None
    path = await cache.path(file)
    lines = (await asyncio.to_thread(path.read_bytes)).splitlines()  # curation writes at most 200
    stop = max(start, 0) + limit
    try:
        found = [Cluster.model_validate_json(line) for line in lines[max(start, 0) : stop]]
    except ValidationError as error:
        raise damaged("clusters.jsonl", str(error.errors()[0]["msg"])) from None
    return found, stop if stop < len(lines) else None


def _index(path: Path) -> list[Entry]:
    entries, offset = [], 0
    with path.open("rb") as file:
        while line := file.readline(_MAX_LINE):
            fields = _fields(line)
            rule, language = fields.get("rule"), fields.get("language")
            entries.append(Entry(offset, len(line), str(rule) if rule is not None else None, str(language or "")))
            offset += len(line)
    return entries


def _fields(line: bytes) -> dict[str, Any]:
    try:
        fields = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise damaged(FILE, str(error)) from None
    if not isinstance(fields, dict):
        raise damaged(FILE, "a line is no object")
    return fields


def _read_page(
    path: Path, entries: list[Entry], wanted: SampleFilter, start: int, limit: int
) -> tuple[list[Sample], int | None]:
    found: list[Sample] = []
    with path.open("rb") as file:
        for position in range(max(start, 0), len(entries)):
            entry = entries[position]
            if not wanted.fits(entry):
                continue
            file.seek(entry.offset)
            try:
                sample = Sample.model_validate_json(file.read(entry.num_bytes))
            except ValidationError as error:
                raise damaged(FILE, str(error.errors()[0]["msg"])) from None
            if not wanted.found_in(sample):
                continue
            if len(found) == limit:
                return found, position
            found.append(sample)
    return found, None
