"""What extractors share: bytes -> str, cleaning, guards against hostile HTML.

Charset by WHATWG names: https://encoding.spec.whatwg.org/#names-and-labels
"""

import codecs
import re

import numpy as np
from resiliparse.parse.encoding import detect_encoding, map_encoding_to_html5

from workers.curation.document import Document, Drop, RawRecord, Reject

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_META_CHARSET = re.compile(rb"<meta[^>]{0,400}?charset\s*=\s*[\"']?\s*([\w.:-]{2,40})", re.IGNORECASE)
_META_BYTES = 4096
_CONTROLS = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_CONTROL_BYTES = bytes(byte for byte in range(128) if _CONTROLS.match(chr(byte)))
_MAX_BROKEN_SHARE = 0.1

# Parsers take time quadratic in depth and in attributes: 20,000 nested <div> keep Resiliparse busy for 9 s, 200,000
# attributes keep lxml busy for minutes, a class of 8 MB keeps trafilatura's patterns busy for 16 s; all of it inside C,
# where no timer reaches.
_MAX_DEPTH = 3000
_MAX_TAGS = 500_000
"""A page of so many takes Resiliparse 2 s; a book on one page has a tenth of them."""
_MAX_OPTIONS = 1000
_OPTION = re.compile(r"</?opt(?:ion|group)\b[^>]*>[^<]*", re.IGNORECASE)
"""Choices of a form, which are no text: lexbor takes time quadratic in their number."""
_MAX_ATTRIBUTES = 2000
_LONG_VALUE = re.compile(r"(<[a-zA-Z][^<>]{0,4000}?=\s*)(?:\"[^\"]{8000,}\"|'[^']{8000,}')")
_LONG_START = re.compile(rb"[= \t\r\n\0](?:\"[^\"]{8000}|'[^']{8000})")
"""Stands in the bytes of all pages with such values: what may stand before the quote, in UTF-16 too, and so much."""
_SUSPECT_TAG = re.compile(r"<[a-zA-Z][^>]{8000,}")
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")
_VOID = "area base br col embed hr img input link meta param source track wbr"
_OPTIONAL_END = "p li dt dd option optgroup tr td th tbody thead tfoot colgroup caption rb rt rtc rp html head body"
_NO_DEPTH = frozenset(f"{_VOID} {_OPTIONAL_END}".split())
"""Elements that need no end tag: left open they don't nest."""
_TAG = re.compile(r"</?[a-zA-Z][a-zA-Z0-9]*")
_NO_CHARSETS = frozenset(["idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "utf_7"])
"""Codecs of Python that are no charset of a page."""


class UndecodableError(ValueError):
    """Bytes that are no text in any charset that was tried."""


def decode(content: bytes, charset: str | None, is_html: bool = False) -> str:
    """Text of a page: BOM, UTF-8 where it is that and more than ASCII, HTTP charset, <meta>, UTF-8, a detector.

    Text that is valid UTF-8 beyond ASCII is UTF-8, whatever a header claims. Raises UndecodableError.
    """
    if (text := _decode_sure(content)) is not None:
        return _sound(text) if "\ufffd" in text or has_controls(content) else text
    meta = _META_CHARSET.search(content[:_META_BYTES]) if is_html else None
    named = meta[1].decode("ascii", "replace") if meta else None
    for name in (charset, named, "utf-8"):
        if not name or not name.isascii():
            continue
        found = _try(content, map_encoding_to_html5(name, fallback_utf8=False) or name)
        if found is not None:
            return _sound(found) if has_controls(content) else found
    return _sound(content.decode(detect_encoding(content) or "utf-8", "replace"))


def _decode_sure(content: bytes) -> str | None:
    """By BOM, or as UTF-8 where it is that and more than ASCII."""
    for bom, codec in _BOMS:
        if content.startswith(bom):
            return content.decode(codec, "replace")
    return None if content.isascii() else _try(content, "utf-8")


def has_controls(content: bytes) -> bool:
    """Are there control characters, or what looks like them (UTF-16)? Much faster than a look at each character."""
    return len(content.translate(None, _CONTROL_BYTES)) < len(content)


def clean(text: str) -> str:
    """Line ends as newlines; no control characters, NUL or lone surrogates; no spaces at line ends."""
    text = _CONTROLS.sub("", text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n\n"))
    return "\n".join(line.rstrip() for line in text.split("\n")).strip("\n")


def make_document(
    record: RawRecord, text: str, kind: str, metadata: dict[str, str | int | float] | None = None
) -> Document | Drop:
    """The document with cleaned text, or the drop `<kind>.no_text` when nothing is left."""
    text = clean(text)
    if not text.strip():
        return Drop(rule=f"{kind}.no_text", figure=0, threshold=1)
    return Document(
        id=record.id,
        source=record.source,
        text=text,
        media_type=record.media_type,
        url=record.url,
        metadata={**record.metadata, **(metadata or {})},
    )


def decode_html(record: RawRecord) -> str | Reject:
    """The page as a string, or why no parser should see it: `undecodable_text`, `html_too_deep`, ..."""
    try:
        html = decode(record.content, record.charset, is_html=True)
    except UndecodableError as error:
        return Reject(source=record.source, reason="undecodable_text", detail=str(error))
    if has_controls(record.content):
        html = _CONTROLS.sub("", html)
    html = _shorten_values(html, record.content)
    for tag in _SUSPECT_TAG.finditer(html):
        if (number := len(_QUOTED.sub("", tag[0]).split())) > _MAX_ATTRIBUTES:
            return Reject(source=record.source, reason="html_too_many_attributes", detail=f"{number} in one tag")
    num_tags = html.count("<")
    if num_tags > _MAX_TAGS:
        return Reject(source=record.source, reason="html_too_many_tags", detail=f"about {num_tags} tags")
    if num_tags > _MAX_OPTIONS:
        html = _drop_options(html)
    if num_tags > _MAX_DEPTH and (depth := _depth(html)) > _MAX_DEPTH:
        return Reject(source=record.source, reason="html_too_deep", detail=f"{depth} nested elements")
    return html


def _shorten_values(html: str, content: bytes) -> str:
    """The page with attribute values of 8,000 characters and more left empty: embedded images, data, attacks."""
    return _LONG_VALUE.sub(r'\1""', html) if _LONG_START.search(content) else html


def _drop_options(html: str) -> str:
    if html.count("<o") + html.count("<O") <= _MAX_OPTIONS or html.lower().count("<opt") <= _MAX_OPTIONS:
        return html
    return _OPTION.sub("", html)


class _Steps(dict[str, int]):
    """What a tag (`<div`, `</p`) does to the depth."""

    def __missing__(self, tag: str) -> int:
        name = tag.lstrip("</").lower()
        self[tag] = step = 0 if name in _NO_DEPTH else -1 if tag[1] == "/" else 1
        return step


def _depth(html: str) -> int:
    """Most elements open at once; an end without a start does not count."""
    walk = np.cumsum(np.fromiter(map(_Steps().__getitem__, _TAG.findall(html)), dtype=np.int64))
    return int((walk - np.minimum(np.minimum.accumulate(walk), 0)).max()) if len(walk) else 0


def _try(content: bytes, name: str) -> str | None:
    try:
        if codecs.lookup(name).name.replace("-", "_") in _NO_CHARSETS:
            return None
        return content.decode(name)
    except (UnicodeError, LookupError, ValueError):
        return None


def _sound(text: str) -> str:
    """The text itself; raises UndecodableError when a tenth of it is no text."""
    broken = text.count("\ufffd") + len(_CONTROLS.findall(text))
    if broken > _MAX_BROKEN_SHARE * len(text):
        raise UndecodableError(f"{broken} of {len(text)} characters cannot be text")
    return text
