"""Word n-grams as 64-bit numbers: what near-duplicates and held-out texts are compared by."""

import hashlib

import numpy as np
import numpy.typing as npt

from workers.curation.text import is_punctuation

Shingles = npt.NDArray[np.uint64]
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # odd, so that an n-gram's number changes with each of its words
_MAX_REMEMBERED = 1_000_000


class Shingler:
    """Hashes n-grams of words: in lower case, punctuation left out."""

    def __init__(self, ngram: int) -> None:
        self.ngram = ngram
        self._hashes: dict[str, int] = {}

    def shingles(self, words: list[str]) -> Shingles:
        """Different n-grams, ascending. A text of fewer words is one n-gram; one without words is the n-gram 0."""
        hashes = np.array([h for word in words if (h := self._word_hash(word))], dtype=np.uint64)
        if not len(hashes):
            return np.zeros(1, dtype=np.uint64)
        n = min(self.ngram, len(hashes))
        shingles = np.zeros(len(hashes) - n + 1, dtype=np.uint64)
        for i in range(n):
            shingles = shingles * _MULTIPLIER + hashes[i : len(hashes) - n + 1 + i]
        return np.unique(shingles)

    def _word_hash(self, word: str) -> int:
        """64 bits, 0 for punctuation."""
        found = self._hashes.get(word)
        if found is None:
            if len(self._hashes) >= _MAX_REMEMBERED:  # bounded memory, whatever the corpus
                self._hashes.clear()
            digest = hashlib.blake2b(word.lower().encode("utf-8", "surrogatepass"), digest_size=8).digest()
            found = 0 if is_punctuation(word) else int.from_bytes(digest, "little") | 1
            self._hashes[word] = found
        return found
