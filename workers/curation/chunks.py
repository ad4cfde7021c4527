"""The input cut into chunks: runs of records, the same for the same input, each with a fingerprint of what is in it.

A chunk that begins in a file of many records ends with it, so that a new or changed file changes no other file's
chunks. Where the chunks lie is kept in the journal: a later run reads only those that it has to work on.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import orjson

from workers.curation.document import RawRecord, Reject
from workers.curation.journal import seal, unseal
from workers.curation.readers import InputError, count_records, read_file
from workers.specs.curation import CurationSpec

MAX_RECORDS = 256
MAX_BYTES = 8_000_000
_GUESSED_RATIO = 4.0
"""Content over the size of a packed file."""

Record = RawRecord | Reject


@dataclass(slots=True, frozen=True)
class Chunk:
    """Where a chunk lies: its first record by file and number in the file, and how many there are."""

    fingerprint: str
    num_records: int
    file: int
    start: int


class Records:
    """The records that a run reads: all, or `max_documents` spread evenly over the input."""

    def __init__(self, root: Path, files: Sequence[Path], sizes: Sequence[int], spec: CurationSpec) -> None:
        self.root, self.files, self.sizes, self.limits = root, files, sizes, spec.limits
        self.num_wanted: int | None = None
        """Records that will be read, where that is known."""
        self.counts: list[int] = []
        """Records in each file, where they were counted."""
        self._offsets: list[int] = []
        self._num_found = 0
        self._cursor: tuple[int, int] | None = None
        self._open: Iterator[tuple[int, int, Record]] = iter(())
        self._bytes_before = list(accumulate(sizes, initial=0))
        self._share_read, self._num_read = 0.0, 0

    def spread(self, counts: Sequence[int], max_documents: int) -> None:
        """Read so many of all; `counts`: records in each file."""
        self.counts = list(counts)
        self._offsets = list(accumulate(counts, initial=0))
        self._num_found = sum(counts)
        self.num_wanted = min(self._num_found, max_documents)

    def cut(self) -> Iterator[tuple[Chunk, list[Record]]]:
        """All chunks, in their order."""
        batch: list[Record] = []
        begin, num_bytes = (0, 0), 0
        for file in range(len(self.files)):
            is_large, content_bytes = False, 0
            for number, record in self._wanted(file, 0):
                size = len(record.content) if isinstance(record, RawRecord) else 0
                if batch and (len(batch) >= MAX_RECORDS or num_bytes + size > MAX_BYTES):
                    yield _chunk(batch, begin), batch
                    batch, num_bytes = [], 0
                if not batch:
                    begin = file, number
                batch.append(record)
                num_bytes += size
                content_bytes += size
                self._advance(file, content_bytes)
                is_large = number > 0
            if is_large and batch:
                yield _chunk(batch, begin), batch
                batch, num_bytes = [], 0
        if batch:
            yield _chunk(batch, begin), batch

    def read(self, chunk: Chunk) -> list[Record]:
        """The records of a chunk; those of a run of chunks are read in one go."""
        place = chunk.file, chunk.start
        if self._cursor is None or self._cursor > place or self._cursor[0] != chunk.file:
            self._open = self._from(chunk.file, chunk.start)
        found: list[Record] = []
        while len(found) < chunk.num_records:
            met = next(self._open, None)
            if met is None:
                raise InputError(f"{self.files[chunk.file]} changed while it was read: start again")
            file, number, record = met
            self._cursor = file, number + 1
            if (file, number) >= place:
                found.append(record)
        return found

    def expected(self) -> int:
        """How many records there will be: as they were counted, or a guess by the bytes that were read."""
        if self.num_wanted is not None:
            return self.num_wanted
        return round(self._num_read / self._share_read) if self._share_read else 0

    def _wanted(self, file: int, start: int) -> Iterator[tuple[int, Record]]:
        for number, record in enumerate(read_file(self.files[file], self.root, self.limits, start), start):
            if self._is_wanted(file, number):
                yield number, record

    def _from(self, file: int, start: int) -> Iterator[tuple[int, int, Record]]:
        for later in range(file, len(self.files)):
            for number, record in self._wanted(later, start if later == file else 0):
                yield later, number, record

    def _is_wanted(self, file: int, number: int) -> bool:
        if self.num_wanted is None or not self._offsets:
            return True
        place = self._offsets[file] + number
        if place >= self._num_found:  # damaged files may have been counted short
            return False
        return (place + 1) * self.num_wanted // self._num_found > place * self.num_wanted // self._num_found

    def _advance(self, file: int, content_bytes: int) -> None:
        """Note how much of all bytes is behind; within a file by what it holds, as if it were packed like most."""
        self._num_read += 1
        if self._num_read % MAX_RECORDS == 0:
            behind = self._bytes_before[file] + min(self.sizes[file], content_bytes / _GUESSED_RATIO)
            self._share_read = behind / max(self._bytes_before[-1], 1)


def count_all(files: Sequence[Path], root: Path, spec: CurationSpec) -> Iterator[int]:
    """Records in each file."""
    return (count_records(file, root, spec.limits) for file in files)


def dump_plan(chunks: Sequence[Chunk], counts: Sequence[int]) -> bytes:
    """A journal entry with the chunks of an input, and its files' counts where they were needed."""
    rows = [[c.fingerprint, c.num_records, c.file, c.start] for c in chunks]
    return seal(orjson.dumps({"chunks": rows, "counts": list(counts)}))


def load_plan(entry: bytes) -> tuple[list[Chunk], list[int]]:
    """From such an entry."""
    content = orjson.loads(unseal(entry))
    return [Chunk(*row) for row in content["chunks"]], content["counts"]


def _chunk(records: list[Record], begin: tuple[int, int]) -> Chunk:
    digest = hashlib.sha256()
    for record in records:
        if isinstance(record, Reject):
            head, content = (record.source, record.reason, record.detail), b""
        else:
            head = (record.id, record.source, record.media_type, record.url, record.charset, record.metadata)
            content = record.content
        # repr: it tells all of these apart, and takes file names that are no UTF-8.
        text = repr(head).encode()
        digest.update(b"%d %d " % (len(text), len(content)))
        digest.update(text)
        digest.update(content)
    return Chunk(digest.hexdigest(), len(records), *begin)
