"""pypdfium2 (Apache-2.0 / BSD-3-Clause): text in the order of the file. https://pypdfium2.readthedocs.io"""

import ctypes
import re
import time

import pypdfium2
import pypdfium2.raw as pdfium

from workers.curation.document import Document, Drop, RawRecord, Reject
from workers.curation.extractors._layout import Line, drop_running_lines, join_lines
from workers.curation.extractors._shared import make_document
from workers.specs.curation import Limits
from workers.specs.curation.extractors import Pypdfium2

_MAX_SECONDS = 300.0
_LINE_END = re.compile("(\r\n|(?<=\ufffe))")
"""pdfium ends a line so; where a hyphen stood at the end it writes U+FFFE instead, and nothing more."""
_INVISIBLE = " \t\xa0\r\n\ufffe"


class Pypdfium2Extractor:
    """Paragraphs as lines, pages apart by a blank line."""

    def __init__(self, settings: Pypdfium2, limits: Limits) -> None:
        self.settings, self.limits = settings, limits

    def extract(self, record: RawRecord) -> Document | Drop | Reject:
        """The document; a drop `pypdfium2.no_text`; a reject `encrypted_pdf`, `broken_pdf`, `pdf_too_slow`, ..."""
        try:
            document = pypdfium2.PdfDocument(record.content)
        except pypdfium2.PdfiumError as error:
            reason = "encrypted_pdf" if error.err_code == pdfium.FPDF_ERR_PASSWORD else "broken_pdf"
            return Reject(source=record.source, reason=reason, detail=str(error))
        try:
            return self._extract(document, record)
        finally:
            document.close()

    def _extract(self, document: pypdfium2.PdfDocument, record: RawRecord) -> Document | Drop | Reject:
        if not len(document):
            return Reject(source=record.source, reason="broken_pdf", detail="no pages")
        pages: list[list[Line]] = []
        num_chars = num_broken = 0
        start = time.monotonic()
        for number in range(min(len(document), self.settings.max_pages)):
            try:
                lines = _page_lines(document, number)
            except pypdfium2.PdfiumError:
                num_broken += 1
                continue
            pages.append(lines)
            num_chars += sum(len(line.text) for line in lines)
            if num_chars > self.limits.max_document_bytes:
                return Reject(source=record.source, reason="too_large", detail=f"{num_chars} characters of text")
            if time.monotonic() - start > _MAX_SECONDS:
                return Reject(source=record.source, reason="pdf_too_slow", detail=f"at page {number + 1}")
        if not pages:
            return Reject(source=record.source, reason="broken_pdf", detail="none of its pages can be loaded")
        text = "\n\n".join(filter(None, (join_lines(lines) for lines in drop_running_lines(pages))))
        metadata: dict[str, str | int | float] = {"num_pages": len(document)}
        if num_broken:
            metadata["num_broken_pages"] = num_broken
        return make_document(record, text, "pypdfium2", metadata)


def _page_lines(document: pypdfium2.PdfDocument, number: int) -> list[Line]:
    page = document[number]
    try:
        text_page = page.get_textpage()
        try:
            return _text_lines(text_page, page.get_height())
        finally:
            text_page.close()
    finally:
        page.close()


def _text_lines(text_page: pypdfium2.PdfTextPage, page_height: float) -> list[Line]:
    """Lines with the boxes of their first and last character.

    A character outside the BMP is two in pdfium's count and one in Python's; then positions count UTF-16 units.
    """
    lines = []
    index = 0
    for text in _LINE_END.split(text_page.get_text_range()):
        num_units = len(text) + sum(char > "\uffff" for char in text)
        visible = text.strip(_INVISIBLE)
        if visible and text != "\r\n":
            first = index + len(text) - len(text.lstrip(_INVISIBLE))
            last = index + num_units - 1 - (len(text) - len(text.rstrip(_INVISIBLE)))
            x0, y0, _, y1 = _char_box(text_page.raw, first, page_height)
            x1 = _char_box(text_page.raw, last, page_height)[2]
            size = pdfium.FPDFText_GetFontSize(text_page.raw, first)
            lines.append(Line(text.strip(), x0, y0, max(x0, x1), y1, size))
        index += num_units
    return lines


def _char_box(raw: pdfium.FPDF_TEXTPAGE, index: int, page_height: float) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of a character's cell, from the top of the page."""
    rect = pdfium.FS_RECTF()
    if not pdfium.FPDFText_GetLooseCharBox(raw, index, ctypes.byref(rect)):
        return 0.0, 0.0, 0.0, 0.0
    return rect.left, page_height - rect.top, rect.right, page_height - rect.bottom
