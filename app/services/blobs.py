"""Blobs in the store, by their SHA-256: a folder or S3. The layout is that of `workers.storage`: `ab/cdef...`.

Nothing is held whole in memory, and blocking calls run in threads. A blob appears only when its content was verified.
"""

import asyncio
from collections.abc import AsyncIterator
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from app.services.blob_files import (
    CHUNK,
    BlobMismatchError,
    StorageFullError,
    StorageUnavailableError,
    StoredBlob,
    publish,
    receive,
)
from app.services.blob_folder import FolderStore
from app.services.blob_s3 import S3Store
from app.settings import Settings

__all__ = [
    "CHUNK", "BlobMismatchError", "BlobStore", "FolderStore", "S3Store", "StorageFullError", "StorageUnavailableError",
    "StoredBlob", "build_store", "fetch", "read_bytes",
]  # fmt: skip


class BlobStore(Protocol):
    """Where blobs live."""

    async def size(self, sha256: str) -> int | None:
        """Bytes of the blob, None when it is missing."""
        ...

    async def write(self, sha256: str, chunks: AsyncIterator[bytes]) -> None:
        """Store the content. Raises BlobMismatchError, StorageFullError, StorageUnavailableError."""
        ...

    def read(self, sha256: str) -> AsyncIterator[bytes]:
        """The content in pieces of at most a MiB. Raises KeyError when it is missing."""
        ...

    async def check(self) -> str:
        """Where it is, in words. Raises OSError when it cannot be used."""
        ...

    async def touch(self, sha256: str) -> bool:
        """Is it there? Then it counts as stored just now."""
        ...

    async def listing(self, prefix: str) -> list[StoredBlob]:
        """Blobs whose SHA-256 begins with these two digits."""
        ...

    async def delete(self, sha256s: list[str]) -> None:
        """Remove blobs; those that are not there are no error."""
        ...

    async def delete_partial(self, prefix: str, before: float) -> None:
        """Remove what broken uploads left before this moment (Unix seconds)."""
        ...


def build_store(settings: Settings) -> BlobStore:
    """The store that the settings name."""
    return _store(settings.storage or str(settings.home / "storage"), settings.s3_endpoint_url)


@lru_cache(maxsize=8)
def _store(location: str, endpoint_url: str | None) -> BlobStore:
    if location.startswith("s3://"):
        return S3Store(location, endpoint_url)
    return FolderStore(Path(location).absolute())


async def read_bytes(store: BlobStore, sha256: str, max_bytes: int) -> bytes:
    """A whole small blob. Raises KeyError when it is missing, ValueError when it is larger."""
    content = bytearray()
    async for chunk in store.read(sha256):
        content += chunk
        if len(content) > max_bytes:
            raise ValueError(f"blob {sha256} is larger than {max_bytes} bytes")
    return bytes(content)


async def fetch(store: BlobStore, sha256: str, path: Path) -> None:
    """Copy a blob to a local file, written beside and renamed. Raises KeyError, BlobMismatchError."""
    partial = await receive(sha256, store.read(sha256), path.parent)
    await asyncio.to_thread(publish, partial, path)
