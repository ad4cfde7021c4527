"""Plain text files, one document each."""

from collections.abc import Iterator
from pathlib import Path

from workers.curation.document import RawRecord, Reject
from workers.curation.readers._shared import read_document
from workers.specs.curation import Limits


def read(path: Path, source: str, limits: Limits) -> Iterator[RawRecord | Reject]:
    """The file as one `text/plain` record, or why it cannot be read."""
    return read_document(path, source, limits, "text/plain", is_text=True)
