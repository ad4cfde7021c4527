"""PDF files, one document each."""

from collections.abc import Iterator
from pathlib import Path

from workers.curation.document import RawRecord, Reject
from workers.curation.readers._shared import read_document
from workers.specs.curation import Limits


def read(path: Path, source: str, limits: Limits) -> Iterator[RawRecord | Reject]:
    """The file as one `application/pdf` record; `broken_pdf` when its first KiB holds no `%PDF-`."""
    for record in read_document(path, source, limits, "application/pdf"):
        if isinstance(record, RawRecord) and b"%PDF-" not in record.content[:1024]:
            yield Reject(source=source, reason="broken_pdf", detail="no %PDF- header")
        else:
            yield record
