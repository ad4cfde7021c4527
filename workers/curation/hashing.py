"""Numbers for strings of words, modulo the prime 2^61 - 1 (Karp and Rabin, 1987), for numba kernels.

The hash of a concatenation follows from the hashes of its parts, so that equal strings are equal however they are cut
into words. Two different strings of at most L characters agree with odds of at most L / 2^61: in a document of 1,000
words of 6 characters below 1e-11 for all its pairs of 10-grams together.
"""

import numpy as np
from numba import njit

PRIME = 2**61 - 1
BASE = 0x12A9_5E5C_3D1B_7F43 % PRIME
"""Any number will do that is not chosen by whoever writes the documents."""

_PRIME = np.uint64(PRIME)
_LOW_31 = np.uint64(2**31 - 1)
_LOW_30 = np.uint64(2**30 - 1)
_1, _30, _31, _61 = np.uint64(1), np.uint64(30), np.uint64(31), np.uint64(61)


def hash_string(text: str) -> tuple[int, int]:
    """Hash of a string, and BASE to the power of its length: what `append` needs."""
    value, power = 0, 1
    for char in text:
        value = (value * BASE + ord(char) + 1) % PRIME
        power = power * BASE % PRIME
    return value, power


@njit(cache=True)
def append(value: np.uint64, power: np.uint64, tail: np.uint64) -> np.uint64:  # pragma: no cover  # compiled
    """value * power + tail modulo the prime: the hash of a string with another one behind it."""
    high_a, low_a = value >> _31, value & _LOW_31
    high_b, low_b = power >> _31, power & _LOW_31
    middle = low_a * high_b + high_a * low_b
    total = ((high_a * high_b) << _1) + (middle >> _30) + ((middle & _LOW_30) << _31) + low_a * low_b
    total = (total >> _61) + (total & _PRIME)
    total += tail
    while total >= _PRIME:
        total -= _PRIME
    return total
