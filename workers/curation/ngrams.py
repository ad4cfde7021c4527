"""Repeated word n-grams of a text (Gopher, arXiv 2112.11446, table A1), compiled; as datatrove 0.10.1 counts them.

The most frequent n-gram is found exactly: the number of an n-gram comes from the number of the (n-1)-gram that begins
it and the word that ends it. Repeated n-grams are compared without blanks, by `hashing`.
"""

import numpy as np
import numpy.typing as npt
from numba import njit

from workers.curation.hashing import append
from workers.curation.lexicon import Numbers

Longs = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]

_MIX = np.uint64(0x9E37_79B9_7F4A_7C15)
_32 = np.uint64(32)


@njit(cache=True)
def top_ngrams(words: Numbers, lengths: Numbers, max_n: int) -> tuple[Longs, Longs]:  # pragma: no cover  # compiled
    """For n up to `max_n`: characters of the most frequent n-gram times its count, and the word where it stands first.

    words (num_words,), lengths (number of different words,) -> two of (max_n + 1,). Blanks between words count; of
    equally frequent n-grams the first one does. Where a text has no n-gram the characters are -1.
    """
    num_words = len(words)
    chars, places = np.full(max_n + 1, -1, np.int64), np.zeros(max_n + 1, np.int64)
    bits = _table_bits(num_words)
    mask = (1 << bits) - 1
    ids = np.zeros(num_words + 1, np.int64)
    keys, values = np.empty(1 << bits, np.int64), np.empty(1 << bits, np.int64)
    first, counts = np.empty(num_words, np.int64), np.empty(num_words, np.int64)
    for n in range(1, min(max_n, num_words) + 1):
        keys[:] = -1
        num_ngrams = 0
        for at in range(num_words - n + 1):
            key = (ids[at] << 32) | words[at + n - 1]
            slot = np.int64((np.uint64(key) * _MIX) >> np.uint64(64 - bits))
            while keys[slot] not in (-1, key):
                slot = (slot + 1) & mask
            if keys[slot] == -1:
                keys[slot], values[slot] = key, num_ngrams
                first[num_ngrams], counts[num_ngrams] = at, 0
                num_ngrams += 1
            ids[at] = values[slot]
            counts[ids[at]] += 1
        best = np.argmax(counts[:num_ngrams])
        length = n - 1
        for at in range(first[best], first[best] + n):
            length += lengths[words[at]]
        chars[n], places[n] = length * counts[best], first[best]
    return chars, places


@njit(cache=True)
def duplicate_ngrams(
    words: Numbers, lengths: Numbers, hashes: Hashes, powers: Hashes, max_n: int
) -> tuple[Longs, Longs]:  # pragma: no cover  # compiled
    """For n up to `max_n`: characters of n-grams that came before, on a walk that steps over each; and the first.

    words (num_words,), the rest (number of different words,) -> two of (max_n + 1,). Blanks don't count, and two
    n-grams are the same when their characters are. Only n-grams that the walk stood on count as seen.
    """
    num_words = len(words)
    chars, places = np.zeros(max_n + 1, np.int64), np.zeros(max_n + 1, np.int64)
    bits = _table_bits(num_words)
    mask = (1 << bits) - 1
    values, sizes = np.zeros(num_words, np.uint64), np.zeros(num_words, np.int64)
    keys, rounds = np.empty(1 << bits, np.uint64), np.zeros(1 << bits, np.int32)
    for n in range(1, min(max_n, num_words) + 1):
        for at in range(num_words - n + 1):
            word = words[at + n - 1]
            values[at] = append(values[at], powers[word], hashes[word])
            sizes[at] += lengths[word]
        at = 0
        while at < num_words - n + 1:
            slot = np.int64((values[at] * _MIX) >> np.uint64(64 - bits))
            while rounds[slot] == n and keys[slot] != values[at]:
                slot = (slot + 1) & mask
            if rounds[slot] == n:
                if chars[n] == 0:
                    places[n] = at
                chars[n] += sizes[at]
                at += n
            else:
                keys[slot], rounds[slot] = values[at], n
                at += 1
    return chars, places


@njit(cache=True)
def _table_bits(num_entries: int) -> int:  # pragma: no cover  # compiled
    """Bits of the index of a hash table that is at most half full."""
    bits = 4
    while (1 << bits) < 2 * num_entries:
        bits += 1
    return bits
