"""Results of stages, kept on disk by what went into them, so that a run that was killed or changed starts from there.

    <folder>/<stage>-<key>/<2 hex digits>/<chunk>      a stage's result for one chunk of the input
    <folder>/plans/<2 hex digits>/<key>                where the chunks of an input lie

An entry is a zstd frame behind a checksum. Entries appear by rename; there is no fsync, as a kill does not lose what
the kernel has, and after a power failure the checksum tells a torn entry, which is then worked out again.
"""

import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import zstandard

_MAGIC = b"HRJ1"
_CHECK_BYTES = 16
_HEAD_BYTES = len(_MAGIC) + _CHECK_BYTES
_LEVEL = 1
MAX_AGE_SECONDS = 14 * 24 * 3600.0
MAX_BYTES = 50_000_000_000


def seal(content: bytes) -> bytes:
    """An entry with this content."""
    return seal_frame(zstandard.ZstdCompressor(level=_LEVEL).compress(content))


def seal_frame(frame: bytes) -> bytes:
    """An entry from a zstd frame."""
    return _MAGIC + _check(frame) + frame


def frame_of(entry: bytes) -> bytes:
    """The zstd frame of an entry."""
    return entry[_HEAD_BYTES:]


def unseal(entry: bytes) -> bytes:
    """The content of an entry."""
    return zstandard.ZstdDecompressor().decompress(frame_of(entry))


def is_whole(entry: bytes) -> bool:
    """Is an entry what was once written?"""
    check = entry[len(_MAGIC) : _HEAD_BYTES]
    return entry.startswith(_MAGIC) and len(entry) > _HEAD_BYTES and check == _check(frame_of(entry))


def _check(frame: bytes) -> bytes:
    return hashlib.sha256(frame).digest()[:_CHECK_BYTES]


class Journal:
    """Entries by stage and chunk. Several runs may use one folder at the same time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def has(self, stage: str, chunk: str) -> bool:
        """Is there an entry? It may still prove to be torn. It counts as used now."""
        try:
            os.utime(self._path(stage, chunk))
        except FileNotFoundError:
            return False
        return True

    def get(self, stage: str, chunk: str) -> bytes | None:
        """The entry; None when there is none. A damaged one is removed."""
        if not self.has(stage, chunk):
            return None
        path = self._path(stage, chunk)
        try:
            entry = path.read_bytes()
        except FileNotFoundError:
            return None
        if is_whole(entry):
            return entry
        path.unlink(missing_ok=True)
        return None

    def put(self, stage: str, chunk: str, entry: bytes) -> None:
        """Keep an entry. Repeating it is harmless."""
        path = self._path(stage, chunk)
        partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
        for _ in range(2):
            try:
                partial.write_bytes(entry)
                partial.rename(path)
                return
            except FileNotFoundError:  # the first of its folder, or another run swept it away
                path.parent.mkdir(parents=True, exist_ok=True)

    def sweep(self, max_age_seconds: float = MAX_AGE_SECONDS, max_bytes: int = MAX_BYTES) -> int:
        """Remove entries not used for long, then those used longest ago until the rest fits. Returns how many went."""
        entries = sorted(_entries(self.folder))
        total = sum(num_bytes for _, num_bytes, _ in entries)
        oldest, removed = time.time() - max_age_seconds, 0
        for used, num_bytes, path in entries:
            if used >= oldest and total <= max_bytes:
                break
            Path(path).unlink(missing_ok=True)
            total -= num_bytes
            removed += 1
        return removed

    def remove_damaged(self) -> int:
        """Read all entries and remove those that are not what was written. Returns how many."""
        paths = [Path(path) for _, _, path in _entries(self.folder)]
        damaged = [path for path in paths if path.suffix != ".partial" and not is_whole(path.read_bytes())]
        for path in damaged:
            path.unlink(missing_ok=True)
        return len(damaged)

    def _path(self, stage: str, chunk: str) -> Path:
        return self.folder / stage / chunk[:2] / chunk


def _entries(folder: Path) -> Iterator[tuple[float, int, str]]:
    """When it was last used, bytes and path of each."""
    waiting = [str(folder)] if folder.is_dir() else []
    while waiting:
        with os.scandir(waiting.pop()) as found:
            for entry in found:
                try:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    else:
                        status = entry.stat(follow_symlinks=False)
                        yield status.st_mtime, status.st_size, entry.path
                except FileNotFoundError:  # another run renamed or removed it
                    continue
