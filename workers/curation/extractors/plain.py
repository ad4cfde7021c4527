"""Text and Markdown: the text itself."""

from workers.curation.document import Document, Drop, RawRecord, Reject
from workers.curation.extractors._shared import UndecodableError, decode, make_document


class PlainExtractor:
    """Decodes; Markdown is kept as it is written."""

    def extract(self, record: RawRecord) -> Document | Drop | Reject:
        """The document; a drop `plain.no_text`; a reject `undecodable_text`."""
        try:
            text = decode(record.content, record.charset)
        except UndecodableError as error:
            return Reject(source=record.source, reason="undecodable_text", detail=str(error))
        return make_document(record, text, "plain")
