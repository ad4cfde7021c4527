"""jusText's paragraphs of a tree, by one walk without SAX events, each text put together once.

Takes the place of `justext.core.ParagraphMaker` where trafilatura asks for it; the classes are still given by jusText's
own rules. https://github.com/miso-belica/jusText
"""

import re
from collections.abc import Set
from typing import Any

from justext.core import PARAGRAPH_TAGS
from lxml.etree import QName

_BLANKS = re.compile(r"\s+")
_UNEVEN = re.compile(r"[^\S ]|  ")
"""In a text without it all blanks are single spaces."""


class Paragraph:
    """What jusText's rules ask of a paragraph."""

    is_heading = False
    heading = False
    """Only for callers that treat headings as paragraphs, as trafilatura does."""

    def __init__(self, is_in_select: bool) -> None:
        self.dom_path = "select" if is_in_select else ""
        """Nothing but this is looked for in it."""
        self.parts: list[str] = []
        self.chars_count_in_links = 0
        self.cf_class = ""
        self.class_type = ""
        self.text = ""

    @property
    def is_boilerplate(self) -> bool:
        """Not good enough, by its class and by its neighbours'."""
        return self.class_type != "good"

    def __len__(self) -> int:
        return len(self.text)

    def close(self) -> None:
        """No part will follow."""
        self.text = _even("".join(self.parts).strip())

    def stopwords_density(self, stop_words: Set[str]) -> float:
        """Share of its words that are among these."""
        words = self.text.lower().split()
        return sum(map(stop_words.__contains__, words)) / len(words) if words else 0

    def links_density(self) -> float:
        """Share of its characters that stand in links."""
        return self.chars_count_in_links / len(self.text) if self.text else 0


class ParagraphMaker:
    """Finds the paragraphs of one tree."""

    @classmethod
    def make_paragraphs(cls, root: Any) -> list[Paragraph]:
        """All paragraphs that hold text, in their order."""
        maker = cls()
        maker._walk(root)
        maker._begin()
        return maker.paragraphs

    def __init__(self) -> None:
        self.paragraphs: list[Paragraph] = []
        self._paragraph = Paragraph(False)
        self._num_selects = 0
        self._is_in_link = self._is_after_break = False

    def _begin(self) -> None:
        if self._paragraph.parts:
            self._paragraph.close()
            self.paragraphs.append(self._paragraph)
        self._paragraph = Paragraph(self._num_selects > 0)

    def _walk(self, element: Any) -> None:
        if isinstance(element.tag, str):
            self._enter(element)
        if element.tail:
            self._add(element.tail)

    def _enter(self, element: Any) -> None:
        name = QName(element).localname if element.tag[0] == "{" else element.tag
        is_paragraph, is_select = name in PARAGRAPH_TAGS, "select" in name
        self._num_selects += is_select
        if is_paragraph or (name == "br" and self._is_after_break):
            self._begin()
        else:
            self._is_after_break = name == "br"
            if name == "br":
                self._paragraph.parts.append(" ")
            elif name == "a":
                self._is_in_link = True
        if element.text:
            self._add(element.text)
        for child in element:
            self._walk(child)
        self._num_selects -= is_select
        if is_paragraph:
            self._begin()
        elif name == "a":
            self._is_in_link = False

    def _add(self, text: str) -> None:
        if text.isspace():
            return
        text = _even(text)
        self._paragraph.parts.append(text)
        if self._is_in_link:
            self._paragraph.chars_count_in_links += len(text)
        self._is_after_break = False


def _even(text: str) -> str:
    """Runs of blanks as one line break or one space."""
    return _BLANKS.sub(_one_blank, text) if _UNEVEN.search(text) else text


def _one_blank(match: "re.Match[str]") -> str:
    return "\n" if "\n" in match[0] or "\r" in match[0] else " "
