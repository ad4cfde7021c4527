"""Long lists of hosts and addresses as sorted 64-bit hashes: eight bytes an entry.

A wrong hit comes once in 10^12 addresses at five million entries. A list file is hashed once: the result is kept
beside it where that folder can be written, and processes share its pages.
"""

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import xxhash

from workers.curation.filters._lists import read_list

Hashes = npt.NDArray[np.uint64]
_FORMAT = 1
_MIN_KEPT = 100_000
"""Entries from which a list is worth a file."""


class HashSet:
    """Strings by hash, in one or more sorted arrays."""

    def __init__(self, arrays: Iterable[Hashes]) -> None:
        self._arrays = [array for array in arrays if len(array)]

    def __bool__(self) -> bool:
        return bool(self._arrays)

    def __contains__(self, entry: str) -> bool:
        wanted = np.uint64(_hash(entry))
        return any(_holds(array, wanted) for array in self._arrays)


def hash_entries(entries: Iterable[str]) -> tuple[Hashes, Hashes]:
    """Hashes of the hosts, and of the addresses (what has a slash), among the entries."""
    hosts, urls = _Growing(), _Growing()
    for entry in entries:
        if "/" in entry:
            urls.add(_hash(entry.rstrip()))
        else:
            hosts.add(_hash(entry.strip().strip(".").lower()))
    return hosts.sorted(), urls.sorted()


def hash_list(field: str, name: str) -> tuple[Hashes, Hashes]:
    """Hashes of the hosts and of the addresses in a list file. Raises ListFileError."""
    path = Path(name)
    try:
        hosts, urls = map(_load, _kept_files(path))
        return hosts, urls
    except (OSError, ValueError):  # not there, or not whole: read the list, which has messages of its own
        arrays = hash_entries(read_list(field, name))
    if sum(map(len, arrays)) >= _MIN_KEPT:
        with contextlib.suppress(OSError):  # a folder that cannot be written costs time, no more
            for target, array in zip(_kept_files(path), arrays, strict=True):
                _save(target, array)
    return arrays


class _Growing:
    """Hashes on the way in, without a Python object each."""

    def __init__(self) -> None:
        self._arrays: list[Hashes] = []
        self._last: list[int] = []

    def add(self, value: int) -> None:
        self._last.append(value)
        if len(self._last) == 65_536:
            self._flush()

    def sorted(self) -> Hashes:
        self._flush()
        return np.unique(np.concatenate(self._arrays))

    def _flush(self) -> None:
        self._arrays.append(np.array(self._last, dtype=np.uint64))
        self._last.clear()


def _kept_files(path: Path) -> tuple[Path, Path]:
    """Where the hashes of this state of a list lie."""
    state = path.stat()
    stamp = f"{state.st_size:x}-{state.st_mtime_ns:x}-{_FORMAT}"
    return path.with_name(f".{path.name}.{stamp}.hosts.npy"), path.with_name(f".{path.name}.{stamp}.urls.npy")


def _load(kept: Path) -> Hashes:
    # An array of nothing cannot be mapped.
    hashes: Hashes = np.load(kept, mmap_mode="r" if kept.stat().st_size > 4096 else None)
    return hashes


def _save(target: Path, array: Hashes) -> None:
    partial = target.with_name(f"{target.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            np.save(file, array)
            file.flush()
            os.fsync(file.fileno())
        partial.rename(target)
    finally:
        partial.unlink(missing_ok=True)


def _holds(array: Hashes, wanted: np.uint64) -> bool:
    at = int(array.searchsorted(wanted))
    return at < len(array) and bool(array[at] == wanted)


def _hash(entry: str) -> int:
    return int(xxhash.xxh3_64_intdigest(entry.encode("utf-8", "surrogatepass")))
