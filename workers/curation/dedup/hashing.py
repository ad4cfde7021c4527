"""xxHash over slices of a byte buffer, compiled: a call a word n-gram from Python would cost more than its hash.

https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md
Shapes: B bytes of a buffer. All arithmetic is unsigned and wraps.
"""

import numpy as np
import numpy.typing as npt
from numba import njit

Bytes = npt.NDArray[np.uint8]
Words = npt.NDArray[np.uint64]

_A1 = np.uint64(0x9E3779B185EBCA87)
_A2 = np.uint64(0xC2B2AE3D27D4EB4F)
_A3 = np.uint64(0x165667B19E3779F9)
_A4 = np.uint64(0x85EBCA77C2B2AE63)
_A5 = np.uint64(0x27D4EB2F165667C5)
_B1, _B2, _B3 = np.uint64(0x9E3779B1), np.uint64(0x85EBCA77), np.uint64(0xC2B2AE3D)
_B4, _B5 = np.uint64(0x27D4EB2F), np.uint64(0x165667B1)
_LOW = np.uint64(0xFFFFFFFF)
_BYTE = np.uint64(0xFF)
_ZERO = np.uint64(0)


@njit(cache=True, inline="always")
def _rotate64(x, bits):  # type: ignore[no-untyped-def]  # numba infers the types
    return (x << np.uint64(bits)) | (x >> np.uint64(64 - bits))


@njit(cache=True, inline="always")
def _rotate32(x, bits):  # type: ignore[no-untyped-def]
    return ((x << np.uint64(bits)) | (x >> np.uint64(32 - bits))) & _LOW


@njit(cache=True)
def lanes_of(buffer_B):  # type: ignore[no-untyped-def]
    """The 8 bytes from each place on, little-endian, (B,) uint64: one load where a slice of bytes would take eight."""
    lanes_B = np.empty(len(buffer_B), dtype=np.uint64)
    lane = _ZERO
    for at in range(len(buffer_B) - 1, -1, -1):
        lane = (lane << np.uint64(8)) | np.uint64(buffer_B[at])
        lanes_B[at] = lane
    return lanes_B


@njit(cache=True, inline="always")
def _round64(acc, lane):  # type: ignore[no-untyped-def]
    return _rotate64(acc + lane * _A2, 31) * _A1


@njit(cache=True, inline="always")
def _round32(acc, lane):  # type: ignore[no-untyped-def]
    return (_rotate32((acc + lane * _B2) & _LOW, 13) * _B1) & _LOW


@njit(cache=True)
def _stripes64(lanes_B, at, end, seed):  # type: ignore[no-untyped-def]
    """The four lanes over all whole stripes of 32 bytes, merged."""
    v1, v2, v3, v4 = seed + _A1 + _A2, seed + _A2, seed, seed - _A1
    while at + 32 <= end:
        v1 = _round64(v1, lanes_B[at])
        v2 = _round64(v2, lanes_B[at + 8])
        v3 = _round64(v3, lanes_B[at + 16])
        v4 = _round64(v4, lanes_B[at + 24])
        at += 32
    h = _rotate64(v1, 1) + _rotate64(v2, 7) + _rotate64(v3, 12) + _rotate64(v4, 18)
    for v in (v1, v2, v3, v4):
        h = (h ^ _round64(_ZERO, v)) * _A1 + _A4
    return h


@njit(cache=True)
def xxh64(lanes_B, start, end, seed):  # type: ignore[no-untyped-def]
    """XXH64 of the bytes [start:end]; `seed` and the result are uint64."""
    length, at = end - start, start
    if length >= 32:
        h = _stripes64(lanes_B, at, end, seed)
        at += length // 32 * 32
    else:
        h = seed + _A5
    h += np.uint64(length)
    while at + 8 <= end:
        h = _rotate64(h ^ _round64(_ZERO, lanes_B[at]), 27) * _A1 + _A4
        at += 8
    if at + 4 <= end:
        h = _rotate64(h ^ ((lanes_B[at] & _LOW) * _A1), 23) * _A2 + _A3
        at += 4
    while at < end:
        h = _rotate64(h ^ ((lanes_B[at] & _BYTE) * _A5), 11) * _A1
        at += 1
    h = (h ^ (h >> np.uint64(33))) * _A2
    h = (h ^ (h >> np.uint64(29))) * _A3
    return h ^ (h >> np.uint64(32))


@njit(cache=True)
def _stripes32(lanes_B, at, end):  # type: ignore[no-untyped-def]
    """The four lanes over all whole stripes of 16 bytes, merged; seed 0."""
    v1, v2, v3, v4 = (_B1 + _B2) & _LOW, _B2, _ZERO, (_ZERO - _B1) & _LOW
    while at + 16 <= end:
        v1 = _round32(v1, (lanes_B[at] & _LOW))
        v2 = _round32(v2, (lanes_B[at + 4] & _LOW))
        v3 = _round32(v3, (lanes_B[at + 8] & _LOW))
        v4 = _round32(v4, (lanes_B[at + 12] & _LOW))
        at += 16
    return (_rotate32(v1, 1) + _rotate32(v2, 7) + _rotate32(v3, 12) + _rotate32(v4, 18)) & _LOW


@njit(cache=True)
def xxh32(lanes_B, start, end):  # type: ignore[no-untyped-def]
    """XXH32 with seed 0 of the bytes [start:end], as uint64."""
    length, at = end - start, start
    if length >= 16:
        h = _stripes32(lanes_B, at, end)
        at += length // 16 * 16
    else:
        h = _B5
    h = (h + np.uint64(length)) & _LOW
    while at + 4 <= end:
        h = (_rotate32((h + (lanes_B[at] & _LOW) * _B3) & _LOW, 17) * _B4) & _LOW
        at += 4
    while at < end:
        h = (_rotate32((h + (lanes_B[at] & _BYTE) * _B5) & _LOW, 11) * _B1) & _LOW
        at += 1
    h = ((h ^ (h >> np.uint64(15))) * _B2) & _LOW
    h = ((h ^ (h >> np.uint64(13))) * _B3) & _LOW
    return h ^ (h >> np.uint64(16))
