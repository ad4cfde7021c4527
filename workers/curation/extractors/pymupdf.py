"""PyMuPDF (AGPL-3.0 or commercial) in block order: columns come out one after the other.

https://pymupdf.readthedocs.io
"""

from typing import Any

import pymupdf

from workers.curation.document import Document, Drop, RawRecord, Reject
from workers.curation.extractors._layout import Line, drop_running_lines, join_lines
from workers.curation.extractors._shared import make_document
from workers.specs.curation import Limits
from workers.specs.curation.extractors import Pymupdf

_FLAGS = pymupdf.TEXT_PRESERVE_WHITESPACE | pymupdf.TEXT_MEDIABOX_CLIP | pymupdf.TEXT_CID_FOR_UNKNOWN_UNICODE

pymupdf.TOOLS.mupdf_display_errors(False)
pymupdf.TOOLS.mupdf_display_warnings(False)


class PymupdfExtractor:
    """Paragraphs as lines, pages apart by a blank line."""

    def __init__(self, settings: Pymupdf, limits: Limits) -> None:
        self.settings, self.limits = settings, limits

    def extract(self, record: RawRecord) -> Document | Drop | Reject:
        """The document; a drop `pymupdf.no_text`; a reject `encrypted_pdf`, `broken_pdf`, `too_large`."""
        try:
            with pymupdf.open(stream=record.content, filetype="pdf") as document:
                if document.needs_pass:
                    return Reject(source=record.source, reason="encrypted_pdf")
                if not document.page_count:
                    return Reject(source=record.source, reason="broken_pdf", detail="no pages")
                return self._extract(document, record)
        except (RuntimeError, ValueError, pymupdf.mupdf.FzErrorBase) as error:
            return Reject(source=record.source, reason="broken_pdf", detail=str(error)[:300])

    def _extract(self, document: pymupdf.Document, record: RawRecord) -> Document | Drop | Reject:
        pages: list[list[Line]] = []
        num_chars = 0
        for number in range(min(document.page_count, self.settings.max_pages)):
            lines = _page_lines(document[number].get_text("dict", flags=_FLAGS))
            pages.append(lines)
            num_chars += sum(len(line.text) for line in lines)
            if num_chars > self.limits.max_document_bytes:
                return Reject(source=record.source, reason="too_large", detail=f"{num_chars} characters of text")
        text = "\n\n".join(filter(None, (join_lines(lines) for lines in drop_running_lines(pages))))
        return make_document(record, text, "pymupdf", {"num_pages": document.page_count})


def _page_lines(page: dict[str, Any]) -> list[Line]:
    lines = []
    for block in page["blocks"]:
        for line in block.get("lines", ()):
            text = "".join(span["text"] for span in line["spans"]).strip()
            if text:
                x0, y0, x1, y1 = line["bbox"]
                lines.append(Line(text, x0, y0, x1, y1, max(span["size"] for span in line["spans"])))
    return lines
