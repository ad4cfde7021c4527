"""Resiliparse: main content by rules in native code. https://resiliparse.chatnoir.eu

Its main content is gone over once more: links and leftovers go (see `_blocks`), and lists stay. Resiliparse 2.0 drops
each <ul> as if it were a menu, so it is shown ordered lists; and <a id="x"/> of XHTML, which HTML takes for a link that
never ends, is closed.
"""

import re

from resiliparse.extract.html2text import extract_plain_text

from workers.curation.document import Document, Drop, RawRecord, Reject
from workers.curation.extractors._blocks import main_lines
from workers.curation.extractors._shared import decode_html, make_document
from workers.specs.curation.extractors import Resiliparse

_UNORDERED = re.compile(r"<(/?)ul(?=[\s>/])", re.IGNORECASE)
_ANCHOR = re.compile(r"<a\s+((?:id|name)\s*=\s*(?:\"[^\"<>]*\"|'[^'<>]*'))\s*/>", re.IGNORECASE)


class ResiliparseExtractor:
    """The main text of a page, or all of it."""

    def __init__(self, settings: Resiliparse) -> None:
        self.settings = settings

    def extract(self, record: RawRecord) -> Document | Drop | Reject:
        """The document; a drop `resiliparse.no_text`; a reject."""
        html = decode_html(record)
        if isinstance(html, Reject):
            return html
        try:
            text = main_text(html) if self.settings.main_content else whole_text(html)
        except Exception as error:  # a parser may fail in any way on hostile pages; the batch goes on
            return Reject(source=record.source, reason="extraction_failed", detail=f"{type(error).__name__}: {error}")
        return make_document(record, text, "resiliparse")


def main_text(html: str) -> str:
    """The main content, one block a line, list items with a dash before them."""
    html = _ANCHOR.sub(r"<a \1></a>", _UNORDERED.sub(r"<\1ol", html))
    minimal = extract_plain_text(
        html, main_content=True, alt_texts=False, comments=False, links=True, preserve_formatting="minimal_html"
    )
    return "\n".join(main_lines(minimal))


def whole_text(html: str) -> str:
    """All that can be seen."""
    return str(extract_plain_text(html, main_content=False, alt_texts=False, preserve_formatting=True))
