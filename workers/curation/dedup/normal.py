"""Words of a text as datatrove 0.10.1 sees them before it makes shingles, without doing any word twice.

Lower case, numbers as 0, punctuation as blanks, accents off (NFD without non-spacing marks), then spaCy's word rules of
the language. Each step looks at one chunk between blanks at a time, so the result of a chunk is remembered: tokenising
is four fifths of datatrove's time for signatures. Chunks of letters alone that are no exception of the language are one
word; spaCy is asked for the rest.
"""

import re
import unicodedata
from functools import lru_cache

import regex

from workers.curation.spacy_rules import word_rules

_MAX_REMEMBERED = 1 << 16
_MAX_REMEMBERED_CHARS = 64
# datatrove's punctuation: not all of Unicode's, and control characters with it.
_PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~«»´–—’“”„…∶━►、。〈〉《》「」【】！％（），．１：；？～"  # noqa: RUF001
_CONTROLS = "".join(chr(code) for code in (*range(9), 11, 12, *range(13, 32), *range(127, 160)))
_BLANKED = str.maketrans(_PUNCTUATION + _CONTROLS, " " * len(_PUNCTUATION + _CONTROLS))
_NUMBERS = regex.compile("\\p{Nd}+([.,\u060c\u066b\u2396\u2397\u2398]\\p{Nd}+)?")
_ASCII_NUMBERS = re.compile(r"[0-9]+([.,][0-9]+)?")


def simplify(chunk: str) -> str:
    """A chunk without blanks in normal form; what was punctuation is blanks now."""
    if chunk.isascii():
        return _ASCII_NUMBERS.sub("0", chunk.lower()).translate(_BLANKED)
    blanked = _NUMBERS.sub("0", chunk.lower()).translate(_BLANKED)
    return "".join(c for c in unicodedata.normalize("NFD", blanked) if unicodedata.category(c) != "Mn")


class NormalWords:
    """Remembers chunks of one language: chunk as written -> its words joined by blanks, in UTF-8."""

    def __init__(self, language: str) -> None:
        self._rules = word_rules(language)
        self._exceptions = self._rules.exceptions
        self._chunks: dict[str, bytes] = {}
        self._older: dict[str, bytes] = {}
        self._parts: dict[str, str] = {}

    def join(self, text: str) -> bytes:
        """All words of the text joined by single blanks, in UTF-8."""
        chunks = text.split()
        new = set(chunks).difference(self._chunks)
        if new and len(self._chunks) + len(new) > _MAX_REMEMBERED:
            # Memory is bounded, whatever the corpus; what is common comes back from the older half.
            self._older, self._chunks, self._parts = self._chunks, {}, {}
            new = set(chunks)
        if new:
            known = self._older.keys() & new
            self._chunks.update((chunk, self._older[chunk]) for chunk in known)
            self._learn(new - known)
        joined = b" ".join(filter(None, map(self._chunks.__getitem__, chunks)))
        for chunk in new:
            if len(chunk) > _MAX_REMEMBERED_CHARS:
                del self._chunks[chunk]
        return joined

    def _learn(self, chunks: set[str]) -> None:
        exceptions, known, rest = self._exceptions, self._chunks, {}
        for chunk in chunks:
            lowered = chunk.lower()
            if lowered.isalpha() and lowered.isascii() and lowered not in exceptions:
                known[chunk] = lowered.encode()
            else:
                rest[chunk] = simplify(chunk).split()
        for chunk, parts in rest.items():
            known[chunk] = " ".join([self._words(part) for part in parts]).encode("utf-8", "surrogatepass")

    def _words(self, part: str) -> str:
        """Words of a part, joined. Exceptions that reach over blanks all hold punctuation, so none is left to find."""
        if (part.isalpha() or part.isdigit()) and part not in self._exceptions:
            return part
        found = self._parts.get(part)
        if found is None:
            found = self._parts[part] = " ".join(self._rules.split_chunk(part)[0])
        return found


@lru_cache(maxsize=16)
def normal_words(language: str) -> NormalWords:
    """The words of a language, built once a process."""
    return NormalWords(language)
