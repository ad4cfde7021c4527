"""Blobs in a local folder, `ab/cdef...`."""

import asyncio
import os
import re
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path

from app.services.blob_files import StoredBlob, pieces, publish, receive

_NAME = re.compile(r"[0-9a-f]{62}")
_TOUCH_AFTER_SECONDS = 600.0


class FolderStore:
    """Blobs in a local folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def _path(self, sha256: str) -> Path:
        return self.folder / sha256[:2] / sha256[2:]

    async def size(self, sha256: str) -> int | None:
        """Bytes of the blob, None when it is missing."""
        try:
            return (await asyncio.to_thread(self._path(sha256).stat)).st_size
        except FileNotFoundError:
            return None

    async def write(self, sha256: str, chunks: AsyncIterator[bytes]) -> None:
        """Written beside, verified, flushed to disk, renamed."""
        path = self._path(sha256)
        partial = await receive(sha256, chunks, path.parent)
        await asyncio.to_thread(publish, partial, path)

    async def read(self, sha256: str) -> AsyncIterator[bytes]:
        """The content in pieces."""
        try:
            file = await asyncio.to_thread(self._path(sha256).open, "rb")
        except FileNotFoundError:
            raise KeyError(sha256) from None
        async for chunk in pieces(file):
            yield chunk

    async def check(self) -> str:
        """Free space of the folder."""
        return await asyncio.to_thread(self._check)

    def _check(self) -> str:
        self.folder.mkdir(parents=True, exist_ok=True)
        if not os.access(self.folder, os.W_OK):
            raise PermissionError(f"the storage folder {self.folder} is not writable")
        free = shutil.disk_usage(self.folder).free
        return f"folder {self.folder}, {free / 1e9:.1f} GB free"

    async def touch(self, sha256: str) -> bool:
        """Is it there? Then it counts as stored just now, and stays out of reach of garbage collection."""
        return await asyncio.to_thread(self._touch, sha256)

    def _touch(self, sha256: str) -> bool:
        try:
            if time.time() - self._path(sha256).stat().st_mtime > _TOUCH_AFTER_SECONDS:
                os.utime(self._path(sha256))
        except FileNotFoundError:
            return False
        return True

    async def listing(self, prefix: str) -> list[StoredBlob]:
        """Blobs whose SHA-256 begins with these two digits."""
        return await asyncio.to_thread(self._list, prefix)

    def _list(self, prefix: str) -> list[StoredBlob]:
        found = []
        try:
            with os.scandir(self.folder / prefix) as entries:
                for entry in entries:
                    if _NAME.fullmatch(entry.name):
                        status = entry.stat()
                        found.append(StoredBlob(prefix + entry.name, status.st_size, status.st_mtime))
        except FileNotFoundError:
            return []
        return found

    async def delete(self, sha256s: list[str]) -> None:
        """Remove blobs; those that are not there are no error."""
        await asyncio.to_thread(self._delete, sha256s)

    def _delete(self, sha256s: list[str]) -> None:
        for sha256 in sha256s:
            self._path(sha256).unlink(missing_ok=True)

    async def delete_partial(self, prefix: str, before: float) -> None:
        """Remove what uploads that broke off before this moment (Unix seconds) left behind."""
        await asyncio.to_thread(self._delete_partial, prefix, before)

    def _delete_partial(self, prefix: str, before: float) -> None:
        for path in (self.folder / prefix).glob(".*.partial"):
            if path.stat().st_mtime < before:
                path.unlink(missing_ok=True)
