"""Resiliparse: main content by rules in native code. https://resiliparse.chatnoir.eu"""

from resiliparse.extract.html2text import extract_plain_text

from workers.curation.document import Document, Drop, RawRecord, Reject
from workers.curation.extractors._shared import decode_html, make_document
from workers.specs.curation.extractors import Resiliparse


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
            text = extract_plain_text(
                html, main_content=self.settings.main_content, alt_texts=False, comments=False, preserve_formatting=True
            )
        except Exception as error:  # a parser may fail in any way on hostile pages; the batch goes on
            return Reject(source=record.source, reason="extraction_failed", detail=f"{type(error).__name__}: {error}")
        return make_document(record, text, "resiliparse")
