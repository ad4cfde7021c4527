"""trafilatura, as FineWeb uses it. https://trafilatura.readthedocs.io"""

import logging
from copy import copy

from trafilatura import extract
from trafilatura.deduplication import LRUCache
from trafilatura.settings import Extractor as Options

from workers.curation.document import Document, Drop, RawRecord, Reject
from workers.curation.extractors._clock import LateError, call_limited
from workers.curation.extractors._faster import speed_up
from workers.curation.extractors._shared import decode_html, make_document
from workers.specs.curation.extractors import Trafilatura

_SEGMENTS = 4096
"""Segments of one page that are remembered to drop repeated ones."""

logging.getLogger("trafilatura").setLevel(logging.CRITICAL)  # one line for every odd page otherwise


class TrafilaturaExtractor:
    """The main text of a page.

    Repeated segments are dropped within a page alone: trafilatura's own memory spans pages, so that a verdict would
    depend on what the process read before.
    """

    def __init__(self, settings: Trafilatura) -> None:
        self.settings = settings
        self._options = Options(precision=settings.favor_precision, comments=False)
        speed_up()

    def extract(self, record: RawRecord) -> Document | Drop | Reject:
        """The document; a drop `trafilatura.no_text` or `trafilatura.timeout_seconds`; a reject."""
        html = decode_html(record)
        if isinstance(html, Reject):
            return html
        limit = self.settings.timeout_seconds
        try:
            text = call_limited(lambda: self._text(html), limit)
        except LateError as error:
            return Drop(rule="trafilatura.timeout_seconds", figure=round(error.seconds, 3), threshold=limit)
        except Exception as error:  # a parser may fail in any way on hostile pages; the batch goes on
            return Reject(source=record.source, reason="extraction_failed", detail=f"{type(error).__name__}: {error}")
        return make_document(record, text, "trafilatura")

    def _text(self, html: str) -> str:
        options = copy(self._options)
        options.dedup = LRUCache(maxsize=_SEGMENTS) if self.settings.deduplicate else False
        return extract(html, options=options) or ""
