"""WARC files (plain, gzip, zstd): pages of `response`, `resource` and `conversion` records.

Only HTTP status 200 and HTML, PDF or text. Images and the like are passed over in silence: they are no failure.
"""

import mmap
import re
from collections.abc import Iterator
from pathlib import Path

from workers.curation.document import RawRecord, Reject
from workers.curation.readers._framing import WarcRecord, find_member, iterate_records
from workers.curation.readers._http import decode_body, parse_response
from workers.curation.readers._shared import GZIP_MAGIC, GzipStream, RejectError, open_stream, record_id
from workers.specs.curation import Limits

_WANTED = frozenset({"response", "resource", "conversion"})
_MEDIA_TYPES = {
    "text/html": "text/html",
    "application/xhtml+xml": "text/html",
    "application/pdf": "application/pdf",
    "application/x-pdf": "application/pdf",
    "text/plain": "text/plain",
    "text/markdown": "text/markdown",
    "text/x-markdown": "text/markdown",
}
_VAGUE = {"", "application/octet-stream", "unk", "application/unknown"}
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]+)", re.IGNORECASE)
_HTML = re.compile(rb"\s*(?:<!--.*?-->\s*)?<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE | re.DOTALL)


def read(path: Path, source: str, limits: Limits) -> Iterator[RawRecord | Reject]:
    """A record for each page. A damaged record is a reject, and the next one is found again."""
    number = 0
    try:
        for number, item in enumerate(_iterate(path, limits), start=1):
            place = f"{source}#{number}"
            try:
                if isinstance(item, RejectError):
                    raise item
                record = _page(item, place, limits)
            except RejectError as error:
                yield error.at(place)
            else:
                if record is not None:
                    yield record
        if not number:
            yield Reject(source=source, reason="empty")
    except OSError as error:
        yield Reject(source=f"{source}#{number + 1}", reason="unreadable", detail=str(error))


def _iterate(path: Path, limits: Limits) -> Iterator[WarcRecord | RejectError]:
    with path.open("rb") as file:
        if file.read(2) == GZIP_MAGIC:
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
                yield from _iterate_members(view, limits)
            return
        file.seek(0)
        stream = open_stream(file, limits)
        try:
            yield from iterate_records(stream, _WANTED, limits, check_digest=stream is file)
        except RejectError as error:
            yield error


def _iterate_members(view: mmap.mmap, limits: Limits) -> Iterator[WarcRecord | RejectError]:
    """One gzip member a record, as the standard wants it. After a broken member the next whole one is found."""
    start: int | None = 0
    while start is not None:
        view.seek(start)
        stream = GzipStream(view, limits, per_member=True)
        try:
            yield from iterate_records(stream, _WANTED, limits, check_digest=False)
        except RejectError as error:
            yield error
            start = find_member(view, start + stream.member_start + 1)
        else:
            return


def _page(record: WarcRecord, place: str, limits: Limits) -> RawRecord | None:
    """The page of a record, or None when it is none. Raises RejectError."""
    if record.block is None:
        return None
    headers = record.headers
    content_type, content = headers.get("content-type", ""), record.block
    if headers["warc-type"].lower() == "response":
        if not content_type.lower().startswith("application/http"):
            return None
        response = parse_response(content)
        if response.status != 200:
            return None
        content_type = response.headers.get("content-type", "")
        media_type = _media_type(content_type, response.body)
        if media_type is None and "content-encoding" not in response.headers:
            return None
        content = decode_body(response, limits)
    media_type = _media_type(content_type, content)
    if media_type is None:
        return None
    if not content.strip():
        raise RejectError("empty")
    charset = _CHARSET.search(content_type)
    metadata = {"date": headers.get("warc-date", ""), "truncated": headers.get("warc-truncated", "")}
    return RawRecord(
        id=record_id(place),
        source=place,
        media_type=media_type,
        content=content,
        url=headers.get("warc-target-uri", "").strip("<>") or None,
        charset=charset[1] if charset else None,
        metadata={name: value for name, value in metadata.items() if value},
    )


def _media_type(content_type: str, content: bytes) -> str | None:
    """What the record says; where it says nothing useful, what its first bytes say. None: not for us."""
    named = content_type.partition(";")[0].strip().lower()
    if named not in _VAGUE:
        return _MEDIA_TYPES.get(named)
    if content.startswith(b"%PDF-"):
        return "application/pdf"
    return "text/html" if _HTML.match(content[:2000]) else None
