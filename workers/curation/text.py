"""A document's text, split once and shared by the filters and by dedup.

Words are those of datatrove 0.10.1: spaCy's rules for the language (see `lexicon`), blanks left out.
"""

import re
from functools import cached_property

from workers.curation.lexicon import Lexicon, Numbers, Split, lexicon
from workers.curation.punctuation import ends_terminal, is_punctuation
from workers.curation.spacy_rules import LEFT_OUT

__all__ = ["Span", "Text", "ends_terminal", "is_punctuation"]

Span = tuple[int, int]

_GAP = f"(?:{LEFT_OUT})*"
_CONTROLS = re.compile(r"[\v\f\r\x1c-\x1f]")
_UNUSUAL_BLANK = re.compile(r"[^\S \n]|  ")


class Text:
    """Text in one language, with its words, lines and paragraphs; each is computed when first asked for."""

    def __init__(self, text: str, language: str = "en") -> None:
        self.text, self.language = text, language

    def __len__(self) -> int:
        return len(self.text)

    @cached_property
    def lexicon(self) -> Lexicon:
        """What the numbers of `split` mean."""
        return lexicon(self.language)

    @cached_property
    def chunk_numbers(self) -> Numbers:
        """Numbers of what blanks part in `lexicon`, (num_chunks,)."""
        return self.lexicon.chunk_numbers(self.text.split())

    @cached_property
    def split(self) -> Split:
        """The words by number."""
        return self.lexicon.split(self.text, self.chunk_numbers)

    @property
    def word_numbers(self) -> Numbers:
        """Numbers of the words in `lexicon`, (num_words,)."""
        return self.split.words

    @cached_property
    def words(self) -> list[str]:
        """Words and punctuation marks, in order, as they are written."""
        return list(map(self.lexicon.words.__getitem__, self.word_numbers.tolist()))

    @cached_property
    def word_spans(self) -> list[Span]:
        """Where each of `words` stands in the text."""
        spans: list[Span] = []
        end = 0
        has_gaps = LEFT_OUT in self.text
        for word in self.words:
            start, size = self.text.find(word, end), len(word)
            if has_gaps and (found := re.compile(_GAP.join(map(re.escape, word))).search(self.text, end)):
                start, size = found.start(), found.end() - found.start()
            start = max(start, end)
            end = min(start + size, len(self.text))
            spans.append((start, end))
        return spans

    @cached_property
    def has_plain_blanks(self) -> bool:
        """Do single spaces and line breaks alone part its words? Then spaCy makes no words of blanks."""
        text = self.text
        if text.isascii() and "  " not in text and "\t" not in text and not _CONTROLS.search(text):
            return True
        return _UNUSUAL_BLANK.search(text) is None

    @cached_property
    def lines(self) -> list[str]:
        """Lines that are not blank, as they are written."""
        return [line for line in self.text.split("\n") if line.strip()]

    @cached_property
    def paragraphs(self) -> list[str]:
        """What blank lines part."""
        text = self.text.strip()
        if "\n\n" not in text:
            return [text]
        return [part for piece in text.split("\n\n") if (part := piece.lstrip("\n"))]

    def part(self, text: str, chunk_numbers: Numbers | None = None) -> "Text":
        """A text that was made from this one, with the numbers of its chunks where they are known already."""
        made = Text(text, self.language)
        if chunk_numbers is not None:
            made.__dict__.update(lexicon=self.lexicon, chunk_numbers=chunk_numbers)
        return made
