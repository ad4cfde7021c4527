"""JSON Lines: one document a line. https://jsonlines.org"""

from collections.abc import Iterator
from pathlib import Path

import orjson

from workers.curation.document import RawRecord, Reject
from workers.curation.readers._rows import row_record
from workers.curation.readers._shared import CHUNK, RejectError, Stream, open_stream
from workers.specs.curation import Limits

_JSON_OVERHEAD = 6
"""A character in a JSON string may be written as six bytes (`\\u00e9`), and other fields stand beside the text."""


def read(path: Path, source: str, limits: Limits, start: int = 0) -> Iterator[RawRecord | Reject]:
    """A record for each line that is not blank, from the `start`-th on; a bad line is a reject and the next goes on."""
    num_lines = num_records = 0
    try:
        with path.open("rb") as file:
            for num_lines, line in _lines(open_stream(file, limits), limits.max_document_bytes * _JSON_OVERHEAD):
                if line is not None and not line.strip():
                    continue
                num_records += 1
                if num_records > start:
                    yield _read_line(line, f"{source}#{num_lines}", limits)
        if not num_records and not start:
            yield Reject(source=source, reason="empty")
    except RejectError as error:
        if num_records >= start:
            yield error.at(f"{source}#{num_lines + 1}")
    except OSError as error:
        if num_records >= start:
            yield Reject(source=source, reason="unreadable", detail=str(error))


def count(path: Path, limits: Limits) -> int:
    """Number of records and rejects that `read` gives; no line is parsed."""
    number = 0
    try:
        with path.open("rb") as file:
            for _, line in _lines(open_stream(file, limits), limits.max_document_bytes * _JSON_OVERHEAD):
                number += line is None or bool(line.strip())
    except (RejectError, OSError):
        return number + 1
    return max(1, number)


def _read_line(line: bytes | None, source: str, limits: Limits) -> RawRecord | Reject:
    if line is None:
        detail = f"a line of more than {limits.max_document_bytes * _JSON_OVERHEAD} bytes"
        return Reject(source=source, reason="too_large", detail=detail)
    try:
        row = orjson.loads(line.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        return Reject(source=source, reason="bad_json", detail=str(error))
    if not isinstance(row, dict):
        return Reject(source=source, reason="bad_json", detail="the line is no JSON object")
    try:
        return row_record(row, source, limits)
    except RejectError as error:
        return error.at(source)


def _lines(stream: Stream, max_bytes: int) -> Iterator[tuple[int, bytes | None]]:
    """Numbered lines from 1; None for one that is too long, which is skipped without being kept."""
    parts: list[bytes] = []
    number, size = 1, 0
    while chunk := stream.read(CHUNK):
        *ends, rest = chunk.split(b"\n")
        for end in ends:
            yield number, b"".join((*parts, end)) if size + len(end) <= max_bytes else None
            number, parts, size = number + 1, [], 0
        size += len(rest)
        if size > max_bytes:
            parts = []
        elif rest:
            parts.append(rest)
    if size:
        yield number, b"".join(parts) if size <= max_bytes else None
