"""The sentences of one line, as the C4 filter counts those of a page."""

from workers.curation.sentences import count_line_sentences
from workers.curation.text import Text


def count_sentences(line: str, language: str = "en") -> int:
    """Sentences of a line that stands alone."""
    text = Text(line, language)
    return count_line_sentences(text, line, [len(line.split())], text.has_plain_blanks)
