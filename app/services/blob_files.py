"""Blobs as files of this machine: received in pieces, verified, flushed to disk, renamed."""

import asyncio
import contextlib
import errno
import hashlib
import os
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

CHUNK = 1 << 20
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


class StoredBlob(NamedTuple):
    """A blob in the store."""

    sha256: str
    num_bytes: int
    modified: float
    """When it was stored or touched, in Unix seconds."""


class BlobMismatchError(ValueError):
    """The content does not hash to its name."""


class StorageFullError(OSError):
    """No space is left for the blob."""


class StorageUnavailableError(OSError):
    """The store does not answer."""


async def pieces(file: BinaryIO) -> AsyncIterator[bytes]:
    """The rest of a file in pieces of at most a MiB; it is closed at the end."""
    try:
        while chunk := await asyncio.to_thread(file.read, CHUNK):
            yield chunk
    finally:
        file.close()


async def receive(sha256: str, chunks: AsyncIterator[bytes], folder: Path) -> Path:
    """Write the chunks to a temporary file in `folder`, flush it to disk, check its hash; return its path."""
    try:
        file = await asyncio.to_thread(_open_partial, folder)
        try:
            found = await _write_all(file, chunks)
            _check_hash(found, sha256)
        except BaseException:
            _discard(file)
            raise
    except OSError as error:
        if error.errno in _FULL:
            raise StorageFullError(error.errno, f"no space is left in {folder}; free some, then try again") from error
        raise
    return Path(file.name)


async def _write_all(file: BinaryIO, chunks: AsyncIterator[bytes]) -> str:
    """Write and flush to disk; returns the SHA-256."""
    digest, buffer = hashlib.sha256(), bytearray()
    async for chunk in chunks:
        buffer += chunk
        if len(buffer) >= CHUNK:
            await asyncio.to_thread(_append, file, digest, bytes(buffer))
            buffer.clear()
    await asyncio.to_thread(_append, file, digest, bytes(buffer))
    await asyncio.to_thread(_flush, file)
    return digest.hexdigest()


def _check_hash(found: str, sha256: str) -> None:
    if found != sha256:
        raise BlobMismatchError(f"the content hashes to {found}, not to {sha256}")


def _discard(file: BinaryIO) -> None:
    with contextlib.suppress(OSError):  # closing flushes, which fails again on a full disk
        file.close()
    Path(file.name).unlink(missing_ok=True)


def _open_partial(folder: Path) -> BinaryIO:
    folder.mkdir(parents=True, exist_ok=True)
    number, path = tempfile.mkstemp(dir=folder, prefix=".", suffix=".partial")
    os.close(number)
    return Path(path).open("wb")


def _append(file: BinaryIO, digest: Any, content: bytes) -> None:
    digest.update(content)
    file.write(content)


def _flush(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
    file.close()


def publish(partial: Path, path: Path) -> None:
    """Give a written file its name, and make that last."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial.chmod(0o644)
    partial.rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
