"""Files of dataset versions out of the store, kept on the service's disk up to a bound."""

import asyncio
import contextlib
import os
import re
from pathlib import Path
from typing import Any

from app.services.blobs import BlobStore, fetch
from app.services.problems import ProblemError, not_found
from workers.specs.events import File

_MAX_BYTES = 512 << 20
_MAX_CACHE_BYTES = 2 << 30
_CACHED = re.compile(r"[0-9a-f]{64}\.[a-z]+")

Files = list[dict[str, Any]]
"""Files of a version, as its row has them."""


def find(files: Files, name: str) -> File | None:
    """The file of that name, None when the version has none."""
    return next((File.model_validate(file) for file in files if file.get("path") == name), None)


class DatasetFiles:
    """The cache. One a process."""

    def __init__(self, store: BlobStore, folder: Path) -> None:
        self._store, self.folder = store, folder
        self._lock = asyncio.Lock()

    async def path(self, file: File) -> Path:
        """The file on disk, fetched if need be. Raises ProblemError when it is missing or too large to look into."""
        path = self.folder / f"{file.sha256}{Path(file.path).suffix}"
        async with self._lock:  # one download at a time
            if await asyncio.to_thread(path.exists):
                await asyncio.to_thread(os.utime, path)  # what is read stays longest
                return path
            if file.num_bytes > _MAX_BYTES:
                detail = f"{file.path} has {file.num_bytes} bytes; {_MAX_BYTES} can be looked into."
                raise ProblemError(422, "file-too-large", "File too large", detail)
            try:
                await fetch(self._store, file.sha256, path)
            except KeyError:
                raise not_found("blob", file.sha256) from None
            await asyncio.to_thread(self._trim, path)
        return path

    def _trim(self, keep: Path) -> None:
        """Drop the files that were used longest ago while the folder is over its bound."""
        files = sorted(
            (path for path in self.folder.iterdir() if _CACHED.fullmatch(path.name)), key=lambda p: p.stat().st_mtime
        )
        total = sum(path.stat().st_size for path in files)
        for path in files:
            if total <= _MAX_CACHE_BYTES:
                return
            if path != keep:
                total -= path.stat().st_size
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)  # noqa: PTH108  an open reader keeps its file


def damaged(what: str, why: str) -> ProblemError:
    """502: a file of a version cannot be read."""
    return ProblemError(502, "file-damaged", "File damaged", f"{what} of this version are unreadable: {why}")
