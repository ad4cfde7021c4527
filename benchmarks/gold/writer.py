"""One page being written: the texts that are drawn for it, and which of them are gold.

Headings, paragraphs, list items, code and quotes of the text are gold; menus, by-lines, teasers, comments of readers,
notices and footers are not. In a forum the posts are the text.
"""

import random
from dataclasses import dataclass, field
from html import escape

from gold.labels import LABELS, Labels

_NAMES = ("Anna Berg", "Luc Martin", "Petra Lang", "Marco Rossi", "Joana Silva", "Tom Reed", "Ines Vega", "Ole Dahl")


@dataclass(slots=True)
class Page:
    """A page and the lines of its main text."""

    template: str
    language: str
    html: str
    gold: list[str]


@dataclass(slots=True)
class Writer:
    """Draws texts for one page and notes which of them are gold."""

    language: str
    paragraphs: list[str]
    random: random.Random
    gold: list[str] = field(default_factory=list)

    @property
    def labels(self) -> Labels:
        """Words around the text."""
        return LABELS[self.language]

    def paragraph(self) -> str:
        """A paragraph of the corpus."""
        return self.random.choice(self.paragraphs)

    def teaser(self, num_words: int = 8) -> str:
        """The first words of a paragraph, as headlines and teasers are."""
        return escape(" ".join(self.paragraph().split()[:num_words]).rstrip(".,;:"))

    def main(self, text: str) -> str:
        """Text that is gold, escaped for HTML."""
        self.gold.append(text)
        return escape(text)

    def title(self) -> str:
        """A heading that is gold."""
        return self.main(" ".join(self.paragraph().split()[: self.random.randint(4, 9)]).rstrip(".,;:"))

    def links(self, texts: list[str], tag: str = "li") -> str:
        """A list of links."""
        return "".join(f'<{tag}><a href="/{i}">{escape(t)}</a></{tag}>' for i, t in enumerate(texts))

    def name(self) -> str:
        """Someone who writes."""
        return self.random.choice(_NAMES)

    def date(self) -> str:
        """A day."""
        return f"{self.random.randint(1, 28)}.{self.random.randint(1, 12)}.20{self.random.randint(10, 24)}"

    def prose(self, fewest: int = 4, most: int = 12) -> list[str]:
        """Blocks of gold: paragraphs, now and then a heading, a list or a quote."""
        blocks = []
        for _ in range(self.random.randint(fewest, most)):
            chance = self.random.random()
            if chance < 0.12:
                blocks.append(f"<h2>{self.title()}</h2>")
            elif chance < 0.22:
                items = [" ".join(self.paragraph().split()[:14]) for _ in range(self.random.randint(3, 6))]
                blocks.append("<ul>" + "".join(f"<li>{self.main(item)}</li>" for item in items) + "</ul>")
            elif chance < 0.27:
                blocks.append(f"<blockquote><p>{self.main(self.paragraph())}</p></blockquote>")
            blocks.append(f"<p>{self.main(self.paragraph())}</p>")
        return blocks
