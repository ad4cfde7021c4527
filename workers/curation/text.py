"""A document's text, split once and shared by the filters and by dedup.

Words follow a short Unicode rule, not spaCy's tables: a run of letters and digits, with inner apostrophes and dots, is
a word; so is each punctuation mark; French and Italian elisions (`l'`, `dell'`) stand alone.
"""

import re
from functools import cached_property

import regex

Span = tuple[int, int]

_ANY_WORD = r"https?://\S+|\d+(?:[.,:]\d+)+|\w+(?:[.'\u2019]\w+)*|\.{2,}|-{2,}|[^\w\s]"
_WORDS = re.compile(_ANY_WORD)
_WORDS_WITH_ELISION = re.compile(r"\b(?!aujourd)[^\W\d_]{1,7}['\u2019](?=\w)|" + _ANY_WORD)
_ELIDING_LANGUAGES = frozenset({"fr", "it"})
_PARAGRAPH_BREAK = re.compile(r"\n{2,}")
_SENTENCE_END = re.compile(r"[.!?…]+[\"'\u201d\u2019»)\]]*(?=\s|$)")
# Signs that end a sentence in any script; the last three (Khmer) are datatrove's additions.
_TERMINAL = regex.compile(r"[\p{Sentence_Terminal}\u17d6\u17d9\u17da]")
# What datatrove 0.10.1 takes for punctuation: ASCII's, common Unicode marks, controls, and terminal signs.
_PUNCTUATION = regex.compile(
    r"[!-/:-@\[-`{-~«»´–—’“”„…∶━►、。〈〉《》「」【】！％（），．１：；？～\x00-\x08\x0b-\x1f\x7f-\x9f"  # noqa: RUF001
    r"\p{Sentence_Terminal}\u17d6\u17d9\u17da]+"
)


def ends_terminal(line: str) -> bool:
    """Does the line's last character end a sentence? Trailing blanks count, as they do in datatrove."""
    return _TERMINAL.match(line[-1:]) is not None


def is_punctuation(word: str) -> bool:
    """Is the word made of punctuation alone?"""
    return _PUNCTUATION.fullmatch(word) is not None


def count_sentences(text: str) -> int:
    """Sentences of a line: ends of sentences, and one for what follows the last of them."""
    ends = [match.end() for match in _SENTENCE_END.finditer(text)]
    return len(ends) + bool(text[ends[-1] if ends else 0 :].strip())


class Text:
    """Text in one language, with its words, lines and paragraphs; each is computed when first asked for."""

    def __init__(self, text: str, language: str = "en") -> None:
        self.text, self.language = text, language
        self._pattern = _WORDS_WITH_ELISION if language in _ELIDING_LANGUAGES else _WORDS

    def __len__(self) -> int:
        return len(self.text)

    @cached_property
    def words(self) -> list[str]:
        """Words and punctuation marks, in order, as they are written."""
        return self._pattern.findall(self.text)

    @cached_property
    def word_spans(self) -> list[Span]:
        """Where each of `words` stands in the text."""
        return [match.span() for match in self._pattern.finditer(self.text)]

    @cached_property
    def lines(self) -> list[str]:
        """Lines that are not blank, as they are written."""
        return [line for line in self.text.split("\n") if line.strip()]

    @cached_property
    def paragraphs(self) -> list[str]:
        """What blank lines part."""
        return _PARAGRAPH_BREAK.split(self.text.strip())
