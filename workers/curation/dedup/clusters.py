"""Clusters as connected components: a forest in which each document points to an earlier one, or to itself.

Tarjan and van Leeuwen, "Worst-case analysis of set union algorithms" (1984): path halving. The root of a component is
its first document, as that is the one that stays.
Shapes: D documents; N records of a block; C slots of a table.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from numba import njit

from workers.curation.dedup.spill import Spill
from workers.curation.dedup.tables import Table, find_or_add, is_in_split, passes

MAX_DOCUMENTS = 2**32 - 1
NEAR, SAME_TEXT, SAME_URL = 0, 1, 2
"""Why a document that is no root is where it is."""
_BYTES_PER_DOCUMENT = 9
_LOW = np.uint64(0xFFFFFFFF)


class Forest:
    """Parents, reasons and cluster sizes of documents: 9 bytes each, in memory or, beyond `memory_bytes`, in files."""

    def __init__(self, num_documents: int, folder: Path, memory_bytes: int) -> None:
        on_disk = num_documents * _BYTES_PER_DOCUMENT > memory_bytes
        self.parents_D = _array(num_documents, np.dtype(np.uint32), folder / "parents.bin" if on_disk else None)
        self.sizes_D = _array(num_documents, np.dtype(np.uint32), folder / "sizes.bin" if on_disk else None)
        self.reasons_D = _array(num_documents, np.dtype(np.uint8), folder / "reasons.bin" if on_disk else None)
        number_all(self.parents_D)

    def join(self, spill: Spill, bands: range, reason: int, memory_bytes: int) -> None:
        """Join documents that share a key in one of the bands.

        For NEAR, with the whole component; for the other reasons, each with the first that holds the key, and it is out
        of all later joins. Documents that are out already are left alone.
        """
        most = max(int(spill.counts[list(bands)].sum(axis=1).max(initial=0)), 1)
        table = Table(most, memory_bytes)
        for band in bands:
            for first, last, num_splits in passes(spill, band, table.num_keys):
                for split in range(num_splits):
                    table.clear()
                    for block_N2 in spill.read(band, first, last):
                        join_block(
                            block_N2, split, num_splits, reason,
                            table.keys_C, table.values_C, self.parents_D, self.reasons_D,
                        )  # fmt: skip

    def count(self) -> None:
        """Point each document at its root, and count the documents of each."""
        count_sizes(self.parents_D, self.sizes_D)


def _array(length: int, dtype: np.dtype[np.generic], path: Path | None) -> npt.NDArray[np.generic]:
    if path is None or not length:
        return np.zeros(length, dtype=dtype)
    return np.asarray(np.memmap(path, dtype=dtype, mode="w+", shape=(length,)))


@njit(cache=True)
def number_all(parents_D):  # type: ignore[no-untyped-def]  # numba infers the types
    """Each document is its own root."""
    for d in range(len(parents_D)):
        parents_D[d] = d


@njit(cache=True)
def find_root(parents_D, d):  # type: ignore[no-untyped-def]
    """First document of d's component."""
    while parents_D[d] != d:
        parents_D[d] = parents_D[parents_D[d]]
        d = np.int64(parents_D[d])
    return d


@njit(cache=True)
def join_block(block_N2, split, num_splits, reason, keys_C, values_C, parents_D, reasons_D):  # type: ignore[no-untyped-def]
    """Go through the records of a block in their order; see `Forest.join`."""
    for n in range(len(block_N2)):
        key, payload = block_N2[n]
        d = np.int64(payload & _LOW)
        if d >= len(parents_D):
            continue  # the file is damaged: its checksum says so once the section is read
        if reasons_D[d] != NEAR or (num_splits > 1 and not is_in_split(key, split, num_splits)):
            continue
        first = find_or_add(keys_C, values_C, key, payload)
        if first == d:
            continue
        if reason != NEAR:
            parents_D[d], reasons_D[d] = first, reason
            continue
        left, right = find_root(parents_D, first), find_root(parents_D, d)
        if left < right:
            parents_D[right] = left
        else:
            parents_D[left] = right


@njit(cache=True)
def count_sizes(parents_D, sizes_D):  # type: ignore[no-untyped-def]
    """Parents become roots: a parent stands before its child, so its own root is known by then."""
    for d in range(len(parents_D)):
        parents_D[d] = parents_D[parents_D[d]]
        sizes_D[parents_D[d]] += 1
