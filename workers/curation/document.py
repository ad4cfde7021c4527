"""What flows through curation: raw records, documents, and the verdicts on them."""

from dataclasses import dataclass, field


def storable(text: str) -> str:
    """The text as UTF-8 can hold it: file names that are no UTF-8 come with lone surrogates."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode("utf-8")
    return text


@dataclass(slots=True)
class RawRecord:
    """One page or file as it was found. `id` is stable over reruns: SHA-256 of source and position."""

    id: str
    source: str
    """Path inside the input, with the record's number where a file holds many."""
    media_type: str
    """`text/html`, `application/pdf`, `text/plain`, `text/markdown`."""
    content: bytes
    url: str | None = None
    charset: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Reject:
    """A record that could not be read. It is counted and kept in the reject file; the rest goes on."""

    source: str
    reason: str
    """Short and stable: `corrupt_warc_record`, `encrypted_pdf`, `broken_pdf`, `compression_bomb`, `too_large`, ..."""
    detail: str = ""


@dataclass(slots=True)
class Document:
    """Text with its origin."""

    id: str
    source: str
    text: str
    media_type: str
    url: str | None = None
    language: str = ""
    language_score: float = 0.0
    metadata: dict[str, str | int | float] = field(default_factory=dict)
    figures: dict[str, float] = field(default_factory=dict)
    """What the filters measured, by rule (`<filter kind>.<field of its spec>`), kept or dropped."""


@dataclass(slots=True)
class Drop:
    """Why a document was dropped: the rule, the figure that decided, its threshold, and where to look."""

    rule: str
    """`<filter kind>.<rule>`, for example `gopher_quality.min_words`."""
    figure: float | None = None
    threshold: float | None = None
    span: tuple[int, int] | None = None
    """Characters of the text that decided, where there are such."""
