"""Readers: files of a folder -> raw records, one module a format. What cannot be read is a `Reject`, never an error.

A folder is a local one, or one that stands for an S3 prefix: `resolve_input` gives both the same face. A record's
source is the file's path below the folder, with its number where a file holds many; its first component is the
snapshot. Ids are hashes of sources, so they are stable over reruns and never double.
"""

import contextlib
from collections.abc import Callable, Iterator
from hashlib import sha256
from itertools import islice
from pathlib import Path
from types import ModuleType

from workers.curation.document import RawRecord, Reject
from workers.curation.readers import html, jsonl, markdown, pdf, text, warc
from workers.curation.readers._files import InputError, file_format
from workers.curation.readers._input import list_files, resolve_input
from workers.curation.readers._shared import RejectError
from workers.curation.readers._spool import find_spool
from workers.specs.curation import Limits
from workers.storage import file_sha256

__all__ = ["InputError", "count_records", "identify_file", "list_files", "read_file", "resolve_input", "snapshot"]

_READERS: dict[str, Callable[[Path, str, Limits, int], Iterator[RawRecord | Reject]]] = {
    "warc": lambda path, source, limits, start: islice(warc.read(path, source, limits), start, None),
    "html": lambda path, source, limits, start: islice(html.read(path, source, limits), start, None),
    "pdf": lambda path, source, limits, start: islice(pdf.read(path, source, limits), start, None),
    "text": lambda path, source, limits, start: islice(text.read(path, source, limits), start, None),
    "markdown": lambda path, source, limits, start: islice(markdown.read(path, source, limits), start, None),
    "jsonl": jsonl.read,
    "parquet": lambda *given: _parquet().read(*given),
}


def read_file(path: Path, root: Path, limits: Limits, start: int = 0) -> Iterator[RawRecord | Reject]:
    """Records of one file from record `start` on, whose source is its path below `root`.

    JSONL and Parquet pass over the records before `start` without parsing them. Never raises for what the file holds;
    raises InputError when an S3 service is gone.
    """
    source = path.relative_to(root).as_posix()
    try:
        with _local(path, root) as local:
            name = file_format(local, path)
            if name is not None:
                yield from _READERS[name](local, source, limits, start)
            elif not start:
                detail = "neither its name nor its first bytes are known"
                yield Reject(source=source, reason="unknown_format", detail=detail)
    except RejectError as error:
        if not start:
            yield error.at(source)
    except OSError as error:
        if not start:
            yield Reject(source=source, reason="unreadable", detail=str(error))


def count_records(path: Path, root: Path, limits: Limits) -> int:
    """How many records and rejects `read_file` gives.

    JSONL lines are not parsed and Parquet is counted by its footer (a file that is damaged inside gives fewer); one
    document a file needs no reading; WARC is read.
    """
    try:
        with _local(path, root) as local:
            name = file_format(local, path)
            if name == "jsonl":
                return jsonl.count(local, limits)
            if name == "parquet":
                return int(_parquet().count(local, limits))
            if name == "warc":
                return sum(1 for _ in warc.read(local, "", limits))
    except (RejectError, OSError):
        return 1
    return 1


def identify_file(path: Path, root: Path) -> tuple[int, str]:
    """Size in bytes, and a SHA-256 (hex) that changes with the content: of the bytes, or of an object's key and ETag.

    A file that cannot be read, which will be a reject, has one too.
    """
    spool = find_spool(root)
    if spool is not None:
        remote = spool.objects[path.relative_to(root).as_posix()]
        return remote.num_bytes, remote.digest
    try:
        return path.stat().st_size, file_sha256(path)
    except OSError:
        return 0, sha256(b"unreadable").hexdigest()


def snapshot(source: str) -> str:
    """First folder of a record's source (one crawl, in FineWeb's layout); empty for a file that lies at the top."""
    first, slash, _ = source.partition("/")
    return first if slash else ""


def _parquet() -> ModuleType:
    from workers.curation.readers import parquet  # here: it brings pyarrow, which few inputs need

    return parquet


def _local(path: Path, root: Path) -> contextlib.AbstractContextManager[Path]:
    spool = find_spool(root)
    return contextlib.nullcontext(path) if spool is None else spool.fetched(path)
