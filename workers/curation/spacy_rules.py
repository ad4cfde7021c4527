"""spaCy's word rules for a language, run here: its regular expressions and exceptions, without its documents.

datatrove 0.10.1 splits words in en, fr, es, de, it and pt by spaCy's blank tokenizers (https://spacy.io/api/tokenizer);
other languages get the rules for any language ("xx"). spaCy's own run costs 30 to 90 us a word that it has not seen.
"""

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson

from workers.curation.hidden import hidden
from workers.curation.phrases import Phrases

_CLASSES = {
    "en": "English",
    "fr": "French",
    "es": "Spanish",
    "de": "German",
    "it": "Italian",
    "pt": "Portuguese",
    "xx": "MultiLanguage",
}
LANGUAGES = frozenset(_CLASSES)
LEFT_OUT = "IS_ALPHA"
"""In a memory zone spaCy breaks on this word, the name of its first attribute; datatrove takes it out."""
# No rule of any language above cuts a run of these letters.
_PLAIN = re.compile(r"[A-Za-zÀ-ÖØ-öø-ÿĀ-ɏ]+")
_FORMAT = 1
"""Raised when the kept rules are written in another way."""
_PIECES = re.compile(r"\S+|\s+")

Match = Callable[[str], "re.Match[str] | None"]


@cache
def word_rules(language: str) -> "WordRules":
    """The rules of a language, loaded once a process (0.05 s where they were kept, 2 s for French)."""
    return WordRules(language if language in _CLASSES else "xx")


class WordRules:
    """Splits text like spaCy: affixes off each chunk (what blanks part), infixes, then exceptions among the words."""

    def __init__(self, language: str) -> None:
        rules = _load(language)
        patterns = {name: re.compile(*found) for name, found in rules["patterns"].items() if found}
        self._prefix: Match = patterns["prefix"].search
        self._suffix: Match = patterns["suffix"].search
        self._infixes: Callable[[str], Iterator[re.Match[str]]] = patterns["infix"].finditer
        self._url: Match = patterns["url"].match
        self._whole: Match = patterns["whole"].match if "whole" in patterns else (lambda _: None)
        self.exceptions: dict[str, list[str]] = rules["exceptions"]
        self.spaced_exceptions = tuple(text for text in self.exceptions if len(text.split()) > 1)
        """Exceptions that hold a blank, such as Spanish `EE. UU.`: there a word spans two chunks."""
        self._phrases = self._find_phrases()

    def _find_phrases(self) -> Phrases:
        """Exceptions as the words that they fall into without being exceptions; spaCy looks for those that do."""
        cut = [text for text in self.exceptions if self._prefix(text) or self._suffix(text) or self._is_infixed(text)]
        texts = [text for text in {*cut, *self.spaced_exceptions} if not text.isspace()]
        return Phrases({text: [w for chunk in text.split() for w in self._strip(chunk, {})] for text in texts})

    def _is_infixed(self, text: str) -> bool:
        return next(iter(self._infixes(text)), None) is not None

    def split_chunk(self, chunk: str) -> tuple[list[str], bool]:
        """Words of a chunk that stands alone, and whether an exception was put together from parts of it.

        Only then may its neighbours change its words, where a longer exception reaches over the blank.
        """
        if _PLAIN.fullmatch(chunk):
            return self.exceptions.get(chunk) or [chunk], False
        stripped = self.strip(chunk)
        words = self._phrases.replace(stripped, [False] * len(stripped), self.exceptions)
        return words, words != stripped

    def strip(self, chunk: str) -> list[str]:
        """Words of a chunk before exceptions are looked for among them."""
        return self._strip(chunk.replace(LEFT_OUT, ""), self.exceptions)

    def can_join(self, left: str, right: str) -> bool:
        """Can an exception reach over a blank between these two words?"""
        return self._phrases.holds_pair(left, right)

    def split_text(self, text: str) -> list[str]:
        """Words of a whole text, exceptions that reach over blanks included; blanks left out."""
        words: list[str] = []
        spaced: list[bool] = []
        for piece in _PIECES.findall(text):
            if piece == " " and words:
                spaced[-1] = True
                continue
            found = [piece] if piece.isspace() else self.strip(piece)
            words += found
            spaced += [False] * len(found)
        return [word for word in self._phrases.replace(words, spaced, self.exceptions) if not word.isspace()]

    def _strip(self, chunk: str, exceptions: dict[str, list[str]]) -> list[str]:
        prefixes: list[str] = []
        suffixes: list[str] = []
        size = 0
        while chunk and len(chunk) != size and chunk not in exceptions and not self._whole(chunk):
            size = len(chunk)
            match = self._prefix(chunk)
            prefix = match.end() - match.start() if match else 0
            if prefix and chunk[prefix:] in exceptions:
                prefixes.append(chunk[:prefix])
                chunk = chunk[prefix:]
                break
            match = self._suffix(chunk[prefix:])
            suffix = match.end() - match.start() if match else 0
            if suffix and chunk[:-suffix] in exceptions:
                suffixes.append(chunk[-suffix:])
                chunk = chunk[:-suffix]
                break
            if prefix:
                prefixes.append(chunk[:prefix])
            if suffix and prefix + suffix <= size:
                suffixes.append(chunk[-suffix:])
                chunk = chunk[prefix:-suffix]
            else:
                chunk = chunk[prefix:]
        return [*prefixes, *self._split_inner(chunk, exceptions), *reversed(suffixes)]

    def _split_inner(self, chunk: str, exceptions: dict[str, list[str]]) -> list[str]:
        if not chunk:
            return []
        if chunk in exceptions:
            return exceptions[chunk]
        if self._whole(chunk) or self._url(chunk):
            return [chunk]
        words: list[str] = []
        start = 0
        for match in self._infixes(chunk):
            if match.start() == 0:
                continue
            words += [part for part in (chunk[start : match.start()], match[0]) if part]
            start = match.end()
        return [*words, chunk[start:]] if start < len(chunk) else words


def _load(language: str) -> dict[str, Any]:
    """A language's rules: kept beside the compiled Python of this module, as importing spaCy takes 0.6 s a process."""
    path = Path(__file__).parent / "__pycache__" / f"spacy-{version('spacy')}-{_FORMAT}-{language}.json"
    with contextlib.suppress(OSError, ValueError):  # not there yet, or not whole
        rules: dict[str, Any] = orjson.loads(path.read_bytes())
        return rules
    rules = _ask_spacy(language)
    partial = path.with_suffix(f".{os.getpid()}.partial")
    with contextlib.suppress(OSError):  # a folder that cannot be written costs time, no more
        partial.write_bytes(orjson.dumps(rules))
        partial.rename(path)
    return rules


def _ask_spacy(language: str) -> dict[str, Any]:
    """`patterns`: regular expression and flags by use, None for none; `exceptions`: words of each."""
    with hidden("torch"):  # it takes 2 s and 180 MB a process
        module = import_module(f"spacy.lang.{language}")
        tokenizer: Any = getattr(module, _CLASSES[language])().tokenizer
        orth = import_module("spacy.symbols").ORTH
    calls = {
        "prefix": tokenizer.prefix_search,
        "suffix": tokenizer.suffix_search,
        "infix": tokenizer.infix_finditer,
        "url": tokenizer.url_match,
        "whole": tokenizer.token_match,
    }
    return {
        "patterns": {name: _pattern_of(call) for name, call in calls.items()},
        "exceptions": {text: [token[orth] for token in tokens] for text, tokens in tokenizer.rules.items()},
    }


def _pattern_of(call: Any) -> tuple[str, int] | None:
    """Regular expression and flags behind a method of one."""
    return None if call is None else (call.__self__.pattern, call.__self__.flags)
