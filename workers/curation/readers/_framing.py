"""WARC framing that survives damage: after a broken record it finds the next one.

WARC 1.1: https://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/
"""

import base64
import hashlib
import mmap
from collections.abc import Iterator
from dataclasses import dataclass

from workers.curation.readers._shared import CHUNK, GZIP_MAGIC, GzipStream, RejectError, Stream
from workers.specs.curation import Limits

_VERSION = b"WARC/"
_MAX_HEADER_BYTES = 64 * 1024
_MEMBER_MAGIC = b"\x1f\x8b\x08"


@dataclass(slots=True)
class WarcRecord:
    """A record's headers (names in lower case) and its block; None for a block of a type that nobody asked for."""

    headers: dict[str, str]
    block: bytes | None


class _Bytes:
    """Buffered reading. With gzip members, a record that runs into the start of another one is known as broken."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.buffer = bytearray()
        self.inside = False

    def fill(self) -> bool:
        """Append a chunk. Raises RejectError when it starts a new record while one is being read."""
        members = self.stream.num_members if isinstance(self.stream, GzipStream) else 0
        chunk = self.stream.read(CHUNK)
        started = isinstance(self.stream, GzipStream) and self.stream.num_members != members
        self.buffer += chunk
        if started and self.inside and chunk.startswith(_VERSION):
            del self.buffer[: len(self.buffer) - len(chunk)]
            raise RejectError("corrupt_warc_record", "the record ends before its Content-Length")
        return bool(chunk)

    def line(self, max_bytes: int) -> bytes:
        """A line with its end; a part of it where it is longer; empty at the end of the file."""
        while (end := self.buffer.find(b"\n")) < 0 and len(self.buffer) < max_bytes:
            if not self.fill():
                break
        return self.take(end + 1 if 0 <= end < max_bytes else max_bytes)

    def take(self, size: int) -> bytes:
        """What is buffered, at most `size`."""
        taken = bytes(self.buffer[:size])
        del self.buffer[:size]
        return taken

    def block(self, size: int, keep: bool) -> bytes | None:
        """`size` bytes, or None when they are not to be kept. Raises RejectError when the file ends before."""
        left, parts = size, []
        while left:
            if not self.buffer and not self.fill():
                raise RejectError("corrupt_warc_record", f"the file ends {left} bytes before the record does")
            taken = self.take(left)
            left -= len(taken)
            if keep:
                parts.append(taken)
        return b"".join(parts) if keep else None


def iterate_records(
    stream: Stream, wanted: frozenset[str], limits: Limits, check_digest: bool
) -> Iterator[WarcRecord | RejectError]:
    """Records of a WARC stream; only blocks of `wanted` types are kept.

    A RejectError that is yielded stands for one broken record. One that is raised ends the stream (its compression
    is broken).
    """
    source = _Bytes(stream)
    while True:
        source.inside = False
        first = _next_line(source)
        if not first:
            return
        source.inside = True
        try:
            yield _read_record(first, source, wanted, limits, check_digest)
        except RejectError as error:
            source.inside = False
            if error.reason not in {"corrupt_warc_record", "too_large"}:
                raise
            yield error
            if error.reason == "corrupt_warc_record":
                _skip_to_record(source)


def _read_record(
    first: bytes, source: _Bytes, wanted: frozenset[str], limits: Limits, check_digest: bool
) -> WarcRecord:
    if not first.startswith(_VERSION):
        raise RejectError("corrupt_warc_record", f"a record begins with {first[:40]!r}")
    headers = _read_headers(source)
    length = headers.get("content-length", "")
    if not (length.isascii() and length.isdigit()):
        raise RejectError("corrupt_warc_record", f"Content-Length is {length[:40]!r}")
    num_bytes = int(length[:18])
    is_wanted = headers.get("warc-type", "").lower() in wanted
    fits = num_bytes <= limits.max_document_bytes + _MAX_HEADER_BYTES
    block = source.block(num_bytes, is_wanted and fits)
    source.inside = False
    while len(source.buffer) < 4 and source.fill():
        pass
    if source.buffer[:4].strip(b"\r\n") and not source.buffer.startswith(_VERSION):
        raise RejectError("corrupt_warc_record", "the record goes on after its Content-Length")
    if is_wanted and not fits:
        raise RejectError("too_large", f"{num_bytes} bytes, more than {limits.max_document_bytes}")
    if block is not None and check_digest:
        _check_digest(block, headers.get("warc-block-digest", ""))
    return WarcRecord(headers, block)


def _read_headers(source: _Bytes) -> dict[str, str]:
    headers: dict[str, str] = {}
    left, name = _MAX_HEADER_BYTES, ""
    while line := source.line(left):
        left -= len(line)
        if not line.strip():
            return headers
        text = line.decode("utf-8", "replace").rstrip("\r\n")
        if left <= 0:
            break
        if text[0] in " \t" and name:
            headers[name] += " " + text.strip()
            continue
        name, colon, value = text.partition(":")
        name = name.strip().lower()
        if not colon:
            break
        headers.setdefault(name, value.strip())
    raise RejectError("corrupt_warc_record", "its header is broken or does not end")


def _next_line(source: _Bytes) -> bytes:
    while line := source.line(_MAX_HEADER_BYTES):
        if line.strip(b"\r\n"):
            return line
    return b""


def _skip_to_record(source: _Bytes) -> None:
    """Leave the buffer at the next line that starts a record, or at the end of the file."""
    at_start = True
    while True:
        while not source.buffer and source.fill():
            pass
        if at_start and source.buffer.startswith(_VERSION):
            return
        line = source.line(_MAX_HEADER_BYTES)
        if not line:
            return
        at_start = line.endswith(b"\n")


def _check_digest(block: bytes, digest: str) -> None:
    """Raises RejectError when a SHA-1 in base 32, the usual form, does not fit. Other forms are not judged."""
    algorithm, _, value = digest.partition(":")
    if algorithm.lower() != "sha1" or len(value) != 32:
        return
    if base64.b32encode(hashlib.sha1(block, usedforsecurity=False).digest()).decode() != value.upper():
        raise RejectError("corrupt_warc_record", "the block does not have its SHA-1")


def find_member(view: mmap.mmap, start: int) -> int | None:
    """Offset of the next gzip member at or after `start` that holds a WARC record, or None."""
    while (start := view.find(_MEMBER_MAGIC, start)) >= 0:
        view.seek(start)
        try:
            head = GzipStream(view, Limits()).read(len(_VERSION))
        except RejectError:
            head = b""
        if head.startswith(_VERSION):
            return start
        start += len(GZIP_MAGIC)
    return None
