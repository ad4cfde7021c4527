"""Exceptions of spaCy that are put together from several words: the longest win, then the first ones."""

from itertools import pairwise


class Phrases:
    """Texts as lists of words, to be found in longer lists."""

    def __init__(self, phrases: dict[str, list[str]]) -> None:
        self._keys = frozenset(map(tuple, phrases.values()))
        self._firsts: dict[str, list[int]] = {}
        for words in self._keys:
            self._firsts.setdefault(words[0], []).append(len(words))
        self._pairs = frozenset(pair for words in self._keys for pair in pairwise(words))

    def holds_pair(self, left: str, right: str) -> bool:
        """Do these words stand beside one another in some phrase?"""
        return (left, right) in self._pairs

    def replace(self, words: list[str], spaced: list[bool], exceptions: dict[str, list[str]]) -> list[str]:
        """The words with those of each exception in the place of the phrase that reads like it.

        `spaced[i]`: a blank follows word i. A phrase over a blank reads like no exception (but for those with a blank
        in them), yet it keeps shorter ones that it overlaps from being found.
        """
        found = self._find(words) if not self._firsts.keys().isdisjoint(words) else []
        if not found:
            return words
        result: list[str] = []
        end = 0
        for start, stop in found:
            parts = [word + " " * blank for word, blank in zip(words[start:stop], spaced[start:stop], strict=True)]
            text = "".join(parts).rstrip(" ")
            result += words[end:start]
            result += exceptions.get(text) or words[start:stop]
            end = stop
        return result + words[end:]

    def _find(self, words: list[str]) -> list[tuple[int, int]]:
        """Spans of phrases that don't overlap, in order."""
        spans = {
            (start, start + size)
            for start, word in enumerate(words)
            for size in self._firsts.get(word, ())
            if start + size <= len(words) and tuple(words[start : start + size]) in self._keys
        }
        taken: set[int] = set()
        kept: list[tuple[int, int]] = []
        for start, stop in sorted(spans, key=lambda span: (span[0] - span[1], span[0])):
            if start not in taken and stop - 1 not in taken:
                kept.append((start, stop))
            taken.update(range(start, stop))
        return sorted(kept)
