"""JSON lines on disk, plain or zstd, written beside and renamed when whole."""

import os
from collections.abc import Iterable, Iterator
from io import BufferedReader
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson
import zstandard


class FrameWriter:
    """Writes lines that are compressed already, frame after frame: zstd takes them for one file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._partial = path.with_name(path.name + ".partial")

    def write(self, frame: bytes) -> None:
        """Append a zstd frame of whole lines."""
        self._file.write(frame)

    def __enter__(self) -> Self:
        self._file = self._partial.open("wb")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._file:
            if error is None:
                self._file.flush()
                os.fsync(self._file.fileno())
        if error is None:
            self._partial.rename(self.path)


def read_lines(path: Path) -> Iterator[bytes]:
    """Lines of a zstd file, without their newlines."""
    with path.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True) as stream:
        for line in BufferedReader(stream, 1 << 20):
            yield line.rstrip(b"\n")


def write_lines(path: Path, items: Iterable[Any]) -> None:
    """Write items as plain JSON lines."""
    _write(path, (orjson.dumps(item) + b"\n" for item in items))


def write_json(path: Path, value: Any) -> None:
    """Write one value, indented."""
    _write(path, [orjson.dumps(value, option=orjson.OPT_INDENT_2) + b"\n"])


def _write(path: Path, chunks: Iterable[bytes]) -> None:
    partial = path.with_name(path.name + ".partial")
    with partial.open("wb") as file:
        file.writelines(chunks)
        file.flush()
        os.fsync(file.fileno())
    partial.rename(path)
