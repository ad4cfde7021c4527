"""Keys by which documents meet, as records (key, payload) for the spill.

96 bits tell keys of a band apart: the key and the upper half of the payload. Among 100 million documents two different
ones then meet by chance with odds of 1e-13 a band. The lower half of the payload is the document's position.
Shapes: N documents; B buckets; H = B * hashes a bucket.
"""

import numpy as np
import numpy.typing as npt
from numba import njit

from workers.curation.dedup.hashing import lanes_of, xxh64
from workers.curation.dedup.spill import Records

Numbers = npt.NDArray[np.uint64]

_SPREAD = np.uint64(0x9E3779B97F4A7C15)
_HIGH = np.uint64(0xFFFFFFFF00000000)


def digest_keys(digests: list[bytes | None], scopes_N: Numbers, first: int) -> Records:
    """Records of the documents that have a digest (16 bytes); `first` is the position of the first of them all."""
    there = [n for n, digest in enumerate(digests) if digest is not None]
    words_N2 = np.frombuffer(b"".join(d for d in digests if d is not None), dtype="<u8").reshape(-1, 2)
    records_N2: Records = np.empty((len(there), 2), dtype=np.uint64)
    records_N2[:, 0] = words_N2[:, 0] ^ (scopes_N[there] * _SPREAD)
    records_N2[:, 1] = (words_N2[:, 1] & _HIGH) | (np.array(there, dtype=np.uint64) + np.uint64(first))
    return records_N2


def line_keys(lines: list[bytes | None], first: int) -> Records:
    """Records of all lines of the documents."""
    counts = [len(hashes) // 8 if hashes else 0 for hashes in lines]
    records_N2: Records = np.empty((sum(counts), 2), dtype=np.uint64)
    records_N2[:, 0] = np.frombuffer(b"".join(hashes for hashes in lines if hashes), dtype="<u8")
    records_N2[:, 1] = np.repeat(np.arange(first, first + len(lines), dtype=np.uint64), counts)
    return records_N2


def band_keys(
    minima_NH: Numbers, groups_N: Numbers, found_N: npt.NDArray[np.bool_], hashes_per_bucket: int, first: int
) -> npt.NDArray[np.uint64]:
    """Records (B, N', 2) of the N' documents that have a signature."""
    there_N = np.flatnonzero(found_N)
    keys_BN2: npt.NDArray[np.uint64] = hash_bands(
        np.ascontiguousarray(minima_NH[there_N]), groups_N[there_N], hashes_per_bucket,
        there_N.astype(np.uint64) + np.uint64(first),
    )  # fmt: skip
    return keys_BN2


@njit(cache=True)
def hash_bands(minima_NH, groups_N, hashes_per_bucket, documents_N):  # type: ignore[no-untyped-def]
    """Two independent hashes of each bucket and group; see `band_keys`."""
    num_bands = minima_NH.shape[1] // hashes_per_bucket
    keys_BN2 = np.empty((num_bands, len(minima_NH), 2), dtype=np.uint64)
    for n in range(len(minima_NH)):
        lanes = lanes_of(minima_NH[n].view(np.uint8))
        for band in range(num_bands):
            start, end = band * hashes_per_bucket * 8, (band + 1) * hashes_per_bucket * 8
            keys_BN2[band, n, 0] = xxh64(lanes, start, end, groups_N[n])
            check = xxh64(lanes, start, end, groups_N[n] ^ _SPREAD)
            keys_BN2[band, n, 1] = (check & _HIGH) | documents_N[n]
    return keys_BN2
