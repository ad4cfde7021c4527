"""Hash tables over records of one band: who had this key first, and how many hold it. Open addressing, compiled.

Shapes: N records (key, payload); C slots of a table, a power of two.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from numba import njit

from workers.curation.dedup.spill import NUM_RANGES, Spill

FREE = np.uint64(0xFFFFFFFFFFFFFFFF)
"""Payload of a slot that is free: no document has this number."""
_LOW = np.uint64(0xFFFFFFFF)
_HIGH_BITS = np.uint64(32)
_SPREAD = np.uint64(0x9E3779B97F4A7C15)
_SLOT_BYTES = 16
_MAX_LOAD = 0.6
_MIN_BITS = 12


class Table:
    """Slots for keys: (C,) keys and (C,) payloads, within `memory_bytes`."""

    def __init__(self, num_keys: int, memory_bytes: int) -> None:
        slots = 1 << max(_MIN_BITS, int(num_keys / _MAX_LOAD).bit_length())
        most = 1 << max(_MIN_BITS, (memory_bytes // _SLOT_BYTES).bit_length() - 1)
        self.keys_C: npt.NDArray[np.uint64] = np.zeros(min(slots, most), dtype=np.uint64)
        self.values_C: npt.NDArray[np.uint64] = np.full(len(self.keys_C), FREE)

    @property
    def num_keys(self) -> int:
        """Keys that it may hold."""
        return int(len(self.keys_C) * _MAX_LOAD)

    def clear(self) -> None:
        """Forget all keys."""
        self.values_C.fill(FREE)


def passes(spill: Spill, band: int, num_keys: int) -> Iterator[tuple[int, int, int]]:
    """How a band is gone through so that a table of `num_keys` holds each pass: (first range, last range, splits).

    With `splits` above 1 the ranges are read so many times, for a share of the keys each; that is for a range that is
    larger than the table alone.
    """
    counts = spill.counts[band].tolist()
    first = total = 0
    for last, count in enumerate(counts):
        if total and total + count > num_keys:
            yield first, last, -(-total // num_keys)
            first, total = last, 0
        total += count
    if total:
        yield first, NUM_RANGES, -(-total // num_keys)


@njit(cache=True, inline="always")
def _slot(key, check, size):  # type: ignore[no-untyped-def]  # numba infers the types
    mixed = (key ^ check) * _SPREAD
    return np.int64((mixed ^ (mixed >> np.uint64(29))) & np.uint64(size - 1))


@njit(cache=True, inline="always")
def is_in_split(key, split, num_splits):  # type: ignore[no-untyped-def]
    """Is the key in this share of the keys?"""
    return np.int64((key * _SPREAD) >> np.uint64(40)) % num_splits == split


@njit(cache=True)
def find_or_add(keys_C, values_C, key, payload):  # type: ignore[no-untyped-def]
    """First document with the key, this one if it is new. Payload: check (high 32 bits) and document (low 32 bits)."""
    check = payload >> _HIGH_BITS
    slot = _slot(key, check, len(keys_C))
    while values_C[slot] != FREE:
        if keys_C[slot] == key and values_C[slot] >> _HIGH_BITS == check:
            return np.int64(values_C[slot] & _LOW)
        slot = (slot + 1) & (len(keys_C) - 1)
    keys_C[slot], values_C[slot] = key, payload
    return np.int64(payload & _LOW)


@njit(cache=True)
def count_up(keys_C, values_C, key):  # type: ignore[no-untyped-def]
    """One more document holds the key."""
    slot = _slot(key, np.uint64(0), len(keys_C))
    while values_C[slot] != FREE:
        if keys_C[slot] == key:
            values_C[slot] += np.uint64(1)
            return
        slot = (slot + 1) & (len(keys_C) - 1)
    keys_C[slot], values_C[slot] = key, np.uint64(1)
