"""spaCy's word rules for a language: its blank tokenizer, without a model and without torch. https://spacy.io/api/tokenizer

They are what datatrove 0.10.1 splits words by in en, fr, es, de, it and pt; every other language gets spaCy's rules for
any language ("xx").
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from typing import Any

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
# In a memory zone spaCy breaks on this word, the name of its first attribute; datatrove takes it out.
_BREAKING = "IS_ALPHA"


@cache
def word_rules(language: str) -> "WordRules":
    """The rules of a language, loaded once a process (0.9 s for the first, 3 s more for French)."""
    return WordRules(language)


class WordRules:
    """Splits text like spaCy, and tells where the split of a chunk (no blank inside) hangs on its neighbours."""

    def __init__(self, language: str) -> None:
        self.language = language if language in _CLASSES else "xx"
        with _no_torch():
            module = import_module(f"spacy.lang.{self.language}")
            self._full: Any = getattr(module, _CLASSES[self.language])().tokenizer
            tokenizer = import_module("spacy.tokenizer").Tokenizer
        full = self._full
        self._plain: Any = tokenizer(
            full.vocab,
            prefix_search=full.prefix_search,
            suffix_search=full.suffix_search,
            infix_finditer=full.infix_finditer,
            token_match=full.token_match,
            url_match=full.url_match,
        )
        self.exceptions = frozenset(full.rules)
        self.spaced_exceptions = tuple(rule for rule in full.rules if len(rule.split()) > 1)
        """Exceptions that hold a blank, such as Spanish `EE. UU.`: there a word spans two chunks."""
        # spaCy looks for an exception among the split tokens too, over blanks; these pairs can stand at such a blank.
        phrases = self.split_plain([rule for rule in full.rules if not rule.isspace() and len(rule.split()) == 1])
        self.phrase_pairs = frozenset(pair for words in phrases for pair in zip(words, words[1:], strict=False))

    def split_chunks(self, chunks: list[str]) -> list[list[str]]:
        """Words of each chunk, as if it stood alone. Chunks must hold no blank."""
        if not any(_BREAKING in chunk for chunk in chunks):
            return _split(self._full, chunks)
        chunks = [chunk.replace(_BREAKING, "") for chunk in chunks]
        words = iter(_split(self._full, [chunk for chunk in chunks if chunk]))
        return [next(words) if chunk else [] for chunk in chunks]

    def split_plain(self, chunks: list[str]) -> list[list[str]]:
        """The same without the language's exceptions."""
        return _split(self._plain, chunks)

    def split_text(self, text: str) -> list[str]:
        """Words of a whole text, blanks left out."""
        with self._full.vocab.memory_zone():
            return [token.text for token in self._full(text.replace(_BREAKING, "")) if not token.text.isspace()]


def _split(tokenizer: Any, chunks: list[str]) -> list[list[str]]:
    if not chunks:
        return []
    # A line break is a token of its own that no exception reaches across.
    words: list[list[str]] = [[]]
    with tokenizer.vocab.memory_zone():  # else the vocabulary grows with the corpus
        for token in tokenizer("\n".join(chunks)):
            text = token.text
            if text == "\n":
                words.append([])
            else:
                words[-1].append(text)
    return words


@contextmanager
def _no_torch() -> Iterator[None]:
    """Importing spaCy imports torch where it is found: 2 s and 180 MB a process for nothing."""
    hidden = "torch" not in sys.modules
    if hidden:
        sys.modules["torch"] = None  # type: ignore[assignment]  # the documented way to make an import fail
    try:
        yield
    finally:
        if hidden:
            del sys.modules["torch"]
