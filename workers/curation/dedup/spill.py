"""Records of keys and documents on disk, in runs cut by band and range of keys: what memory has no place for.

A record is two uint64, key and payload. A run file holds, after its header, the sections of all bands and ranges one
after the other; within a section records stand in the order in which they were added. The header holds the number of
records and the checksum of each section and a checksum of its own, so that a torn or damaged file is found when read.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import xxhash
from numba import njit

Records = npt.NDArray[np.uint64]
Header = npt.NDArray[np.uint64]

NUM_RANGES = 64
"""Ranges of keys in a band, by their highest bits."""
_RANGE_SHIFT = np.uint64(64 - 6)
_RECORD_BYTES = 16
_BLOCK_RECORDS = 1 << 16
_MAGIC = int.from_bytes(b"keyrun01", "little")
_NOTHING: Records = np.zeros((0, 2), dtype=np.uint64)


class DamagedSpillError(RuntimeError):
    """A file of the work folder is not as it was written."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(
            f"{path} is damaged ({why}): the disk was full or failed, or something else wrote there. "
            "Make room, delete the folder it lies in and start again"
        )


class Spill:
    """Takes blocks of records of several bands; gives them back by band and range. Holds at most `memory_bytes`."""

    def __init__(self, folder: Path, name: str, num_bands: int, memory_bytes: int) -> None:
        self.folder, self.name, self.num_bands = folder, name, num_bands
        self.counts: npt.NDArray[np.int64] = np.zeros((num_bands, NUM_RANGES), dtype=np.int64)
        """Records by band and range; right once `finish` was called."""
        self._runs: list[Run] = []
        self._waiting: list[list[Records]] = [[] for _ in range(num_bands)]
        # A band is copied once more while it is cut.
        self._limit = memory_bytes * num_bands // ((num_bands + 1) * _RECORD_BYTES)
        self._num_waiting = 0

    def add(self, band: int, records_N2: Records) -> None:
        """Append records (N, 2) to a band."""
        if not len(records_N2):
            return
        if self._num_waiting + len(records_N2) > self._limit and self._num_waiting:
            self._write()
        self._waiting[band].append(records_N2)
        self._num_waiting += len(records_N2)

    def finish(self) -> None:
        """Write what waits. Nothing is added afterwards."""
        if self._num_waiting:
            self._write()

    def read(self, band: int, first: int, last: int) -> Iterator[Records]:
        """Blocks (at most 65,536, 2) of the ranges first..last-1 of a band, each key in the order of adding.

        Raises DamagedSpillError.
        """
        for run in self._runs:
            yield from run.read(band, first, last)

    def _write(self) -> None:
        path = self.folder / f"{self.name}-{len(self._runs):05d}.run"
        run = Run.write(path, self._waiting)
        self.counts += run.counts
        self._runs.append(run)
        self._num_waiting = 0


class Run:
    """One file of records."""

    def __init__(self, path: Path, header: Header) -> None:
        num_sections = (len(header) - 2) // 2
        self.path = path
        self.counts: npt.NDArray[np.int64] = header[1 : 1 + num_sections].astype(np.int64).reshape(-1, NUM_RANGES)
        self._checksums: list[int] = header[1 + num_sections : -1].tolist()
        ends = np.cumsum(self.counts.ravel())
        self._offsets: list[int] = (header.nbytes + (ends - self.counts.ravel()) * _RECORD_BYTES).tolist()
        self.num_bytes = header.nbytes + int(ends[-1]) * _RECORD_BYTES

    @classmethod
    def write(cls, path: Path, bands: list[list[Records]]) -> "Run":
        """Write the blocks of all bands, taking them out of the lists."""
        header: Header = np.zeros(2 * len(bands) * NUM_RANGES + 2, dtype=np.uint64)
        header[0] = _MAGIC
        counts, checksums = header[1:-1].reshape(2, len(bands), NUM_RANGES)
        partial = path.with_suffix(".partial")
        with partial.open("wb") as file:
            file.write(header.data)
            for band, blocks in enumerate(bands):
                cut_N2, counts[band] = cut_by_range(np.concatenate(blocks) if blocks else _NOTHING)
                blocks.clear()
                starts = np.cumsum(counts[band]) - counts[band]
                sections = [section.data for section in np.split(cut_N2, starts[1:].astype(np.int64))]
                checksums[band] = [xxhash.xxh3_64_intdigest(section) for section in sections]
                file.writelines(sections)
            header[-1] = xxhash.xxh3_64_intdigest(header[:-1].data)
            file.seek(0)
            file.write(header.data)
            file.flush()
            os.fsync(file.fileno())
        partial.rename(path)
        return cls.open(path, len(bands))

    @classmethod
    def open(cls, path: Path, num_bands: int) -> "Run":
        """Read the header. Raises DamagedSpillError when it or the file's length is not as written."""
        data = np.fromfile(path, dtype=np.uint64, count=2 * num_bands * NUM_RANGES + 2)
        whole = len(data) == 2 * num_bands * NUM_RANGES + 2 and data[0] == _MAGIC
        if not whole or data[-1] != xxhash.xxh3_64_intdigest(data[:-1].data):
            raise DamagedSpillError(path, "its header is not as written")
        run = cls(path, data)
        if path.stat().st_size != run.num_bytes:
            raise DamagedSpillError(path, f"{path.stat().st_size} bytes instead of {run.num_bytes}")
        return run

    def read(self, band: int, first: int, last: int) -> Iterator[Records]:
        """Blocks of the sections of some ranges. Raises DamagedSpillError after a section that is not as written."""
        with self.path.open("rb") as file:
            for section in range(band * NUM_RANGES + first, band * NUM_RANGES + last):
                left = int(self.counts[band, section - band * NUM_RANGES])
                checksum = xxhash.xxh3_64()
                file.seek(self._offsets[section])
                while left:
                    data = file.read(min(left, _BLOCK_RECORDS) * _RECORD_BYTES)
                    if len(data) != min(left, _BLOCK_RECORDS) * _RECORD_BYTES:
                        raise DamagedSpillError(self.path, "it ends too early")
                    checksum.update(data)
                    left -= len(data) // _RECORD_BYTES
                    yield np.frombuffer(data, dtype=np.uint64).reshape(-1, 2)
                if checksum.intdigest() != self._checksums[section]:
                    raise DamagedSpillError(self.path, "a section has another checksum than was written")


@njit(cache=True)
def cut_by_range(records_N2):  # type: ignore[no-untyped-def]  # numba infers the types
    """Records ordered by range of their keys, (N, 2), otherwise in their order; and how many each range has, (R,)."""
    counts_R = np.zeros(NUM_RANGES, dtype=np.int64)
    for n in range(len(records_N2)):
        counts_R[np.int64(records_N2[n, 0] >> _RANGE_SHIFT)] += 1
    next_R = np.cumsum(counts_R) - counts_R
    cut_N2 = np.empty_like(records_N2)
    for n in range(len(records_N2)):
        r = np.int64(records_N2[n, 0] >> _RANGE_SHIFT)
        cut_N2[next_R[r]] = records_N2[n]
        next_R[r] += 1
    return cut_N2, counts_R
