"""Samples of a dataset version: `samples.jsonl` out of the store, kept on disk, indexed in memory.

Only offsets, rules and languages are held in memory; texts are read from the file when they are shown.
"""

import asyncio
import contextlib
import os
import re
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from pydantic import ValidationError

from app.schemas import Sample
from app.services.blobs import BlobStore, fetch
from app.services.problems import ProblemError, not_found
from workers.specs.events import File

FILE = "samples.jsonl"
_MAX_BYTES = 512 << 20
_MAX_LINE = 1 << 20
_MAX_INDEXES = 8
_MAX_CACHE_BYTES = 2 << 30
_CACHED = re.compile(r"[0-9a-f]{64}\.jsonl")


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

    def __init__(self, store: BlobStore, cache: Path) -> None:
        self._store, self._cache = store, cache
        self._indexes: OrderedDict[str, list[Entry]] = OrderedDict()
        self._lock = asyncio.Lock()

    async def page(
        self, digest: str, files: list[dict[str, Any]], wanted: SampleFilter, start: int, limit: int
    ) -> tuple[list[Sample], int | None]:
        """At most `limit` samples from position `start` on, and the position of the next page (None: the end).

        Raises ProblemError when the version has no samples, or they are missing or damaged.
        """
        listed = [File.model_validate(file) for file in files if file.get("path") == FILE]
        if not listed:
            raise not_found("sample file in dataset version", digest)
        path = self._cache / f"{listed[0].sha256}.jsonl"
        entries = await self._entries(listed[0], path)
        return await asyncio.to_thread(_read_page, path, entries, wanted, start, limit)

    async def _entries(self, file: File, path: Path) -> list[Entry]:
        async with self._lock:  # one download and one index at a time
            if not await asyncio.to_thread(path.exists):
                if file.num_bytes > _MAX_BYTES:
                    detail = f"Its samples have {file.num_bytes} bytes; {_MAX_BYTES} can be browsed."
                    raise ProblemError(422, "samples-too-large", "Samples too large", detail)
                await self._fetch(file, path)
                self._indexes.pop(file.sha256, None)
            if file.sha256 not in self._indexes:
                self._indexes[file.sha256] = await asyncio.to_thread(_index, path)
            self._indexes.move_to_end(file.sha256)
            while len(self._indexes) > _MAX_INDEXES:
                self._indexes.popitem(last=False)
            return self._indexes[file.sha256]

    async def _fetch(self, file: File, path: Path) -> None:
        try:
            await fetch(self._store, file.sha256, path)
        except KeyError:
            raise not_found("blob", file.sha256) from None
        await asyncio.to_thread(_trim, self._cache, path)


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
        raise _damaged(str(error)) from None
    if not isinstance(fields, dict):
        raise _damaged("a line is no object")
    return fields


def _read_page(
    path: Path, entries: list[Entry], wanted: SampleFilter, start: int, limit: int
) -> tuple[list[Sample], int | None]:
    found: list[Sample] = []
    os.utime(path)  # what is read stays longest in the cache
    with path.open("rb") as file:
        for position in range(max(start, 0), len(entries)):
            entry = entries[position]
            if not wanted.fits(entry):
                continue
            file.seek(entry.offset)
            try:
                sample = Sample.model_validate_json(file.read(entry.num_bytes))
            except ValidationError as error:
                raise _damaged(str(error.errors()[0]["msg"])) from None
            if not wanted.found_in(sample):
                continue
            if len(found) == limit:
                return found, position
            found.append(sample)
    return found, None


def _trim(folder: Path, keep: Path) -> None:
    """Drop the files that were used longest ago while the folder is over its bound."""
    files = sorted(
        (path for path in folder.iterdir() if _CACHED.fullmatch(path.name)), key=lambda path: path.stat().st_mtime
    )
    total = sum(path.stat().st_size for path in files)
    for path in files:
        if total <= _MAX_CACHE_BYTES:
            return
        if path != keep:
            total -= path.stat().st_size
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)  # noqa: PTH108  an open reader keeps its file


def _damaged(why: str) -> ProblemError:
    return ProblemError(502, "samples-damaged", "Samples damaged", f"The samples of this version are unreadable: {why}")
