"""Extractors: raw records -> documents, one module a kind."""

from typing import Protocol

from workers.curation.document import Document, Drop, RawRecord, Reject
from workers.curation.extractors.plain import PlainExtractor
from workers.data.chat import CHAT_MEDIA_TYPE
from workers.specs.curation import CurationSpec
from workers.specs.curation.extractors import Pypdfium2, Trafilatura


class Extractor(Protocol):
    """Takes the text out of a record."""

    def extract(self, record: RawRecord) -> Document | Drop | Reject:
        """The document, why it was dropped, or why it cannot be read. Raises nothing for what the record holds."""
        ...


class _ByMediaType:
    def __init__(self, extractors: dict[str, Extractor]) -> None:
        self.extractors = extractors

    def extract(self, record: RawRecord) -> Document | Drop | Reject:
        extractor = self.extractors.get(record.media_type)
        if extractor is None:
            return Reject(source=record.source, reason="unknown_media_type", detail=record.media_type)
        return extractor.extract(record)


def build_extractor(spec: CurationSpec) -> Extractor:
    """The spec's extractors for HTML and PDF, and the one for text and Markdown, behind one door."""
    plain = PlainExtractor()
    return _ByMediaType(
        {
            "text/html": _build_html(spec),
            "application/pdf": _build_pdf(spec),
            "text/plain": plain,
            "text/markdown": plain,
            CHAT_MEDIA_TYPE: plain,
        }
    )


def _build_html(spec: CurationSpec) -> Extractor:
    settings = spec.html_extractor
    if isinstance(settings, Trafilatura):
        from workers.curation.extractors.trafilatura import TrafilaturaExtractor

        return TrafilaturaExtractor(settings)
    from workers.curation.extractors.resiliparse import ResiliparseExtractor

    return ResiliparseExtractor(settings)


def _build_pdf(spec: CurationSpec) -> Extractor:
    settings = spec.pdf_extractor
    if isinstance(settings, Pypdfium2):
        from workers.curation.extractors.pypdfium2 import Pypdfium2Extractor

        return Pypdfium2Extractor(settings, spec.limits)
    from workers.curation.extractors.pymupdf import PymupdfExtractor

    return PymupdfExtractor(settings, spec.limits)
