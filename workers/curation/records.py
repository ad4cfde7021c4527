"""Records of the input in their order: counted, thinned evenly to `max_documents`, and put into batches."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from workers.curation.document import RawRecord, Reject
from workers.curation.readers import read_file
from workers.reporter import Reporter
from workers.specs.curation import CurationSpec, Limits

T = TypeVar("T", RawRecord | Reject, bytes)

_BATCH_RECORDS = 32
_BATCH_BYTES = 2_000_000


@dataclass(slots=True, frozen=True)
class Selection:
    """The records that a run reads."""

    root: Path
    files: list[Path]
    limits: Limits
    num_found: int
    """Records in the input, readable or not."""
    num_wanted: int

    def records(self) -> Iterator[RawRecord | Reject]:
        """`num_wanted` of them, evenly spread over all."""
        for number, record in enumerate(_read_all(self.root, self.files, self.limits)):
            before = number * self.num_wanted // self.num_found
            if (number + 1) * self.num_wanted // self.num_found > before:
                yield record


def select(root: Path, files: list[Path], spec: CurationSpec, reporter: Reporter) -> Selection:
    """Count the records, so that they can be spread and progress be told."""
    num_found = 0
    for done, file in enumerate(files, start=1):
        num_found += sum(1 for _ in read_file(file, root, spec.limits))
        reporter.progress("read", done, len(files), "files")
    return Selection(root, files, spec.limits, num_found, min(num_found, spec.max_documents or num_found))


def batches(items: Iterable[T]) -> Iterator[list[T]]:
    """Up to 32 items or about 2 MB each, so that a large file does not hold others up."""
    batch: list[T] = []
    num_bytes = 0
    for item in items:
        size = len(item) if isinstance(item, bytes) else len(getattr(item, "content", b""))
        if batch and (len(batch) >= _BATCH_RECORDS or num_bytes + size > _BATCH_BYTES):
            yield batch
            batch, num_bytes = [], 0
        batch.append(item)
        num_bytes += size
    if batch:
        yield batch


def _read_all(root: Path, files: list[Path], limits: Limits) -> Iterator[RawRecord | Reject]:
    for file in files:
        yield from read_file(file, root, limits)
