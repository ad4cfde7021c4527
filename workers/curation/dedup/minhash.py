"""MinHash signatures, bit-identical to those of datatrove 0.10.1 (`MinhashDedupSignature`) for the same settings.

Broder, "On the resemblance and containment of documents" (1997). A shingle is the xxHash of n words joined by blanks;
hash h of a document is the least of (a_h * shingle + b_h) mod 2^64 mod (2^61 - 1) over its shingles, and of that the
low 32 bits where the hashes have 32. Words: `workers.curation.dedup.normal`.
Shapes: B bytes of the joined words; S shingles; H hashes of a signature.
"""

import numpy as np
import numpy.typing as npt
from numba import njit

from workers.curation.dedup.hashing import lanes_of, xxh32, xxh64

Signature = npt.NDArray[np.uint64]

_PRIME = (1 << 61) - 1
_PRIME_64 = np.uint64(_PRIME)
_BLANK = np.uint8(32)
_SEED = np.uint64(0)


def permutations(seed: int, num_hashes: int) -> tuple[Signature, Signature]:
    """Factors and summands, (H,) each: datatrove draws them so, all factors first."""
    generator = np.random.RandomState(seed)
    a_H = generator.randint(1, _PRIME, dtype=np.uint64, size=num_hashes)
    b_H = generator.randint(0, _PRIME, dtype=np.uint64, size=num_hashes)
    return a_H, b_H


class MinhashSigner:
    """Signs documents given as words joined by single blanks, in UTF-8."""

    def __init__(self, *, num_hashes: int, ngram: int, hash_bits: int, seed: int) -> None:
        self.ngram, self.hash_bits = ngram, hash_bits
        self._mask = np.int64(_PRIME if hash_bits == 64 else 0xFFFFFFFF)
        self._a_H, self._b_H = permutations(seed, num_hashes)

    def sign(self, joined: bytes) -> Signature | None:
        """Signature (H,); None for a text of fewer words than an n-gram, which is nobody's near-duplicate."""
        shingles_S = hash_ngrams(np.frombuffer(joined, dtype=np.uint8), self.ngram, self.hash_bits)
        if not len(shingles_S):
            return None
        minima: Signature = take_minima(shingles_S, self._a_H, self._b_H, self._mask)
        return minima


@njit(cache=True)
def hash_ngrams(buffer_B, ngram, hash_bits):  # type: ignore[no-untyped-def]  # numba infers the types
    """Hashes of all n-grams, (S,) uint64: n words of the buffer with their blanks are one slice of it."""
    num_words = 1 if len(buffer_B) else 0
    for byte in buffer_B:
        num_words += byte == _BLANK
    starts = np.empty(num_words + 1, dtype=np.int64)
    starts[0], found = 0, 1
    for at in range(len(buffer_B)):
        if buffer_B[at] == _BLANK:
            starts[found] = at + 1
            found += 1
    starts[num_words] = len(buffer_B) + 1
    lanes_B = lanes_of(buffer_B)
    shingles_S = np.empty(max(0, num_words - ngram + 1), dtype=np.uint64)
    for i in range(len(shingles_S)):
        start, end = starts[i], starts[i + ngram] - 1
        if hash_bits == 32:
            shingles_S[i] = xxh32(lanes_B, start, end)
        else:
            shingles_S[i] = xxh64(lanes_B, start, end, _SEED)
    return shingles_S


@njit(cache=True)
def take_minima(shingles_S, a_H, b_H, mask):  # type: ignore[no-untyped-def]
    """Least permuted hash for each permutation, (H,) uint64; the inner loop is one that compilers vectorise."""
    minima_H = np.empty(len(a_H), dtype=np.uint64)
    for h in range(len(a_H)):
        a, b, least = a_H[h], b_H[h], np.int64(_PRIME)  # all values are below 2^61: signed compares are faster
        for s in range(len(shingles_S)):
            mixed = shingles_S[s] * a + b
            value = np.int64((mixed & _PRIME_64) + (mixed >> np.uint64(61)))  # equal modulo 2^61 - 1, and near it
            value = value - _PRIME if value >= _PRIME else value
            least = min(least, value & mask)
        minima_H[h] = least
    return minima_H
