"""What readers share: stable ids, bounded decompression, whole small files, reject reasons."""

import hashlib
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

import zstandard

from workers.curation.document import RawRecord, Reject
from workers.specs.curation import Limits

CHUNK = 64 * 1024
GZIP_MAGIC = b"\x1f\x8b"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_BOMB_FLOOR_BYTES = 1_000_000
"""Below this much output a high ratio harms nobody: short repetitive pages compress very well."""


class RejectError(Exception):
    """Stops one record or file; becomes a `Reject` with this reason."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail

    def at(self, source: str) -> Reject:
        """The reject for a source."""
        return Reject(source=source, reason=self.reason, detail=self.detail)


class Stream(Protocol):
    """What readers need of an opened file."""

    def read(self, size: int, /) -> bytes: ...


def record_id(source: str) -> str:
    """SHA-256 (hex) of a record's source, which holds its position."""
    return hashlib.sha256(source.encode("utf-8", "surrogatepass")).hexdigest()


def guard_ratio(num_in: int, num_out: int, limits: Limits) -> None:
    """Raises RejectError `compression_bomb` when the output is too large for its input."""
    if num_out > _BOMB_FLOOR_BYTES and num_out > limits.max_compression_ratio * max(num_in, 1):
        raise RejectError(
            "compression_bomb", f"{num_in} bytes inflate to more than {limits.max_compression_ratio:g} times as many"
        )


class GzipStream:
    """The content of a gzip file, all members in turn, never more than a chunk ahead.

    `per_member`: the ratio of a bomb is taken within each member, not over the whole file.
    """

    def __init__(self, file: Stream, limits: Limits, per_member: bool = False) -> None:
        self.file, self.limits, self.per_member = file, limits, per_member
        self.inflater = zlib.decompressobj(31)
        self.pending = b""
        self.num_in = self.num_out = 0
        self.first_in = self.first_out = 0  # where the ratio starts to count
        self.member_start = 0
        """Bytes before the member that is being read."""
        self.num_members = 0
        self.is_open = False  # inside a member

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes, empty at the end. Raises RejectError `corrupt_gzip`, `truncated_gzip`, bomb."""
        while True:
            if not self.pending:
                self.pending = self.file.read(CHUNK)
                self.num_in += len(self.pending)
                if not self.pending and not self.inflater.unconsumed_tail:
                    if self.is_open:
                        raise RejectError("truncated_gzip", f"ends after {self.num_out} bytes of content")
                    return b""
            if not self.is_open and not self.pending.strip(b"\0"):
                self.pending = b""  # padding after the last member
                continue
            if not self.is_open:
                self._open_member()
            try:
                out = self.inflater.decompress(self.pending, size)
            except zlib.error as error:
                raise RejectError("corrupt_gzip", str(error)) from None
            self.pending = self.inflater.unconsumed_tail
            if self.inflater.eof:
                self.pending = self.inflater.unused_data
                self.inflater = zlib.decompressobj(31)
                self.is_open = False
            self.num_out += len(out)
            guard_ratio(self.num_in - len(self.pending) - self.first_in, self.num_out - self.first_out, self.limits)
            if out:
                return out

    def _open_member(self) -> None:
        self.is_open = True
        self.num_members += 1
        self.member_start = self.num_in - len(self.pending)
        if self.per_member:
            self.first_in, self.first_out = self.member_start, self.num_out


class ZstdStream:
    """The content of a zstd file, all frames in turn."""

    def __init__(self, file: BinaryIO, limits: Limits) -> None:
        self.file, self.limits = file, limits
        decompressor = zstandard.ZstdDecompressor(max_window_size=1 << 27)
        self.reader = decompressor.stream_reader(file, read_size=CHUNK, read_across_frames=True, closefd=False)
        self.num_out = 0

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes, empty at the end. Raises RejectError `corrupt_zstd`, bomb."""
        try:
            out = self.reader.read(size)
        except zstandard.ZstdError as error:
            raise RejectError("corrupt_zstd", str(error)) from None
        self.num_out += len(out)
        guard_ratio(self.file.tell(), self.num_out, self.limits)
        return out


def open_stream(file: BinaryIO, limits: Limits) -> Stream:
    """The content of a file: gzip and zstd are told by their first bytes, not by the name."""
    magic = file.read(4)
    file.seek(0)
    if magic.startswith(GZIP_MAGIC):
        return GzipStream(file, limits)
    if magic == ZSTD_MAGIC:
        return ZstdStream(file, limits)
    return file


def read_bounded(stream: Stream, limits: Limits) -> bytes:
    """All of a stream. Raises RejectError `too_large`."""
    parts: list[bytes] = []
    size = 0
    while chunk := stream.read(CHUNK):
        parts.append(chunk)
        size += len(chunk)
        if size > limits.max_document_bytes:
            raise RejectError("too_large", f"more than {limits.max_document_bytes} bytes")
    return b"".join(parts)


def read_whole(path: Path, limits: Limits) -> bytes:
    """The content of a file that is one document.

    Raises RejectError `empty`, `too_large`, `unreadable` and those of the streams.
    """
    try:
        with path.open("rb") as file:
            content = read_bounded(open_stream(file, limits), limits)
    except OSError as error:
        raise RejectError("unreadable", str(error)) from None
    if not content.strip():
        raise RejectError("empty")
    return content


def read_document(
    path: Path, source: str, limits: Limits, media_type: str, is_text: bool = False
) -> Iterator[RawRecord | Reject]:
    """One file, one record. `is_text`: NUL bytes tell that it is something else, unless it is UTF-16 or UTF-32."""
    try:
        content = read_whole(path, limits)
    except RejectError as error:
        yield error.at(source)
        return
    if is_text and b"\0" in content and not content.startswith((b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")):
        yield Reject(source=source, reason="nul_bytes", detail="not a text file: it holds NUL bytes")
        return
    yield RawRecord(id=record_id(source), source=source, media_type=media_type, content=content)
