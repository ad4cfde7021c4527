"""Readers: files of a folder -> raw records, one module a format. What cannot be read is a `Reject`, never an error."""

from collections.abc import Callable, Iterator
from pathlib import Path

from workers.curation.document import RawRecord, Reject
from workers.curation.readers import html, jsonl, markdown, parquet, pdf, text, warc
from workers.curation.readers._files import file_format, list_files
from workers.curation.readers._input import InputError, resolve_input
from workers.specs.curation import Limits

__all__ = ["InputError", "list_files", "read_file", "resolve_input"]

_READERS: dict[str, Callable[[Path, str, Limits], Iterator[RawRecord | Reject]]] = {
    "warc": warc.read,
    "html": html.read,
    "pdf": pdf.read,
    "text": text.read,
    "markdown": markdown.read,
    "jsonl": jsonl.read,
    "parquet": parquet.read,
}


def read_file(path: Path, root: Path, limits: Limits) -> Iterator[RawRecord | Reject]:
    """Records of one file, whose source is its path below `root`. Never raises for what the file holds."""
    source = path.relative_to(root).as_posix()
    try:
        name = file_format(path)
    except OSError as error:
        yield Reject(source=source, reason="unreadable", detail=str(error))
        return
    if name is None:
        yield Reject(source=source, reason="unknown_format", detail="neither its name nor its first bytes are known")
        return
    yield from _READERS[name](path, source, limits)
