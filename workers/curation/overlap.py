"""Finds passages of a known set in texts, by n-grams of words: case and punctuation do not matter.

An n-gram is a 64-bit polynomial of its words' numbers. Words that no passage holds end every n-gram, so most texts are
let through after one look-up a word.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]
Positions = npt.NDArray[np.int64]

_WORD = re.compile(r"[^\W_]+")
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # odd, so that an n-gram's number changes with each of its words
_SEED = 0x6865616472616365


def count_words(text: str) -> int:
    """Words as they are compared here."""
    return sum(1 for _ in _WORD.finditer(text))


@dataclass(slots=True, frozen=True)
class Found:
    """A passage of which a text holds something."""

    passage: int
    num_found: int
    """Different n-grams of the passage in the text."""
    num_ngrams: int
    """Different n-grams of the passage."""

    @property
    def share(self) -> float:
        """Of the passage's n-grams, in (0, 1]."""
        return self.num_found / self.num_ngrams


@dataclass(slots=True, frozen=True)
class _Postings:
    """N-grams of one length, ascending, and the passages of each: `owners[starts[i]:starts[i + 1]]`."""

    keys: Hashes
    starts: Positions
    owners: Positions


class OverlapIndex:
    """Passages by their n-grams; one of fewer words is one n-gram of that length."""

    def __init__(self, passages: Sequence[str], ngram: int) -> None:
        """Passages without words are never found."""
        self._ngram = ngram
        words = [_words(passage) for passage in passages]
        self._ids = {word: i for i, word in enumerate(sorted({w for ws in words for w in ws}), start=1)}
        rng = np.random.default_rng(_SEED)
        self._values = rng.integers(1, 2**64, size=len(self._ids) + 1, dtype=np.uint64)
        pairs: dict[int, list[tuple[Hashes, int]]] = {}
        self._num_ngrams = np.zeros(len(passages), dtype=np.int64)
        for number, ws in enumerate(words):
            if ws:
                length = min(ngram, len(ws))
                places = np.arange(len(ws) - length + 1)
                hashes = np.unique(self._hashes(self._numbers(ws), length, places))
                self._num_ngrams[number] = len(hashes)
                pairs.setdefault(length, []).append((hashes, number))
        self._postings = {length: _postings(found) for length, found in sorted(pairs.items())}

    def find(self, text: str) -> list[Found]:
        """Passages that share an n-gram with the text, by number."""
        counts: dict[int, int] = {}
        for length, positions in self._hits(text).items():
            postings = self._postings[length]
            for key in np.unique(positions[1]).tolist():
                for owner in postings.owners[postings.starts[key] : postings.starts[key + 1]].tolist():
                    counts[owner] = counts.get(owner, 0) + 1
        return [Found(p, counts[p], int(self._num_ngrams[p])) for p in sorted(counts)]

    def covered(self, text: str) -> float:
        """Share of the text's n-grams of the full length that stand in passages; a short text is one n-gram."""
        num_words = count_words(text)
        length = min(self._ngram, num_words)
        known = self._hits(text).get(length)
        return len(known[0]) / (num_words - length + 1) if known else 0.0

    def span(self, text: str, passage: int) -> tuple[int, int] | None:
        """Characters of the longest stretch that the text shares with the passage."""
        best: tuple[int, int] | None = None
        for length, (places, keys) in self._hits(text).items():
            postings = self._postings[length]
            own = [
                place
                for place, key in zip(places.tolist(), keys.tolist(), strict=True)
                if passage in postings.owners[postings.starts[key] : postings.starts[key + 1]]
            ]
            for start, end in _stretches(own, length):
                best = max(best or (start, end), (start, end), key=lambda s: s[1] - s[0])
        if best is None:
            return None
        spans = [match.span() for match in _WORD.finditer(text)]
        return spans[best[0]][0], spans[best[1] - 1][1]

    def _hits(self, text: str) -> dict[int, tuple[Positions, Positions]]:
        """By length of n-gram: word positions at which a known one begins, and its place among the keys."""
        numbers = self._numbers(_words(text))
        runs = _runs(numbers)
        found: dict[int, tuple[Positions, Positions]] = {}
        longest = int(runs.max(initial=0))
        for length, postings in self._postings.items():
            if length > longest:
                break  # lengths ascend
            places = np.flatnonzero(runs >= length)
            hashes = self._hashes(numbers, length, places)
            at = np.minimum(np.searchsorted(postings.keys, hashes), len(postings.keys) - 1)
            known = postings.keys[at] == hashes
            if known.any():
                found[length] = places[known], at[known]
        return found

    def _numbers(self, words: list[str]) -> Positions:
        """Each word's number in the vocabulary of the passages; 0: in none of them."""
        get = self._ids.get
        return np.array([get(word, 0) for word in words], dtype=np.int64)

    def _hashes(self, numbers: Positions, length: int, places: Positions) -> Hashes:
        """Of the n-grams that begin at these places."""
        hashes = np.zeros(len(places), dtype=np.uint64)
        for i in range(length):
            hashes = hashes * _MULTIPLIER + self._values[numbers[places + i]]
        return hashes


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower()) if text.isascii() else [word.lower() for word in _WORD.findall(text)]


def _postings(found: list[tuple[Hashes, int]]) -> _Postings:
    hashes = np.concatenate([h for h, _ in found])
    owners = np.repeat([number for _, number in found], [len(h) for h, _ in found]).astype(np.int64)
    order = np.argsort(hashes, kind="stable")
    keys, starts = np.unique(hashes[order], return_index=True)
    return _Postings(keys, np.append(starts, len(hashes)).astype(np.int64), owners[order])


def _runs(numbers: Positions) -> Positions:
    """How many known words stand in a row from each word on."""
    unknown = np.append(np.flatnonzero(numbers == 0), len(numbers))
    places = np.arange(len(numbers))
    return unknown[np.searchsorted(unknown, places)] - places


def _stretches(places: list[int], length: int) -> list[tuple[int, int]]:
    """Words [begin, end) that n-grams at these ascending places cover, joined where they touch."""
    stretches: list[tuple[int, int]] = []
    for place in places:
        if stretches and place <= stretches[-1][1]:
            stretches[-1] = stretches[-1][0], place + length
        else:
            stretches.append((place, place + length))
    return stretches
