"""The body of a stored HTTP response: header, chunks and content encoding undone. RFC 9112, RFC 9110."""

import io
import re
import zlib
from dataclasses import dataclass

from workers.curation.readers._shared import GZIP_MAGIC, GzipStream, RejectError, ZstdStream, guard_ratio, read_bounded
from workers.specs.curation import Limits

_STATUS = re.compile(rb"^HTTP/\d(?:\.\d)?[ \t]+(\d{3})")
_HEADER_END = re.compile(rb"\r?\n\r?\n")
_CHUNK_SIZE = re.compile(rb"\s*([0-9a-fA-F]{1,8})[ \t]*(?:;[^\n]*)?\r?\n")


@dataclass(slots=True)
class Response:
    """An HTTP response; `body` is still encoded: see `decode_body`."""

    status: int
    headers: dict[str, str]
    body: bytes


def parse_response(block: bytes) -> Response:
    """Raises RejectError `bad_http` when the block is no HTTP response."""
    status = _STATUS.match(block)
    if not status:
        raise RejectError("bad_http", f"the response begins with {block[:40]!r}")
    end = _HEADER_END.search(block)
    head, body = (block[: end.start()], block[end.end() :]) if end else (block, b"")
    headers: dict[str, str] = {}
    for line in head.decode("latin-1").splitlines()[1:]:
        name, _, value = line.partition(":")
        headers.setdefault(name.strip().lower(), value.strip())
    return Response(int(status[1]), headers, body)


def decode_body(response: Response, limits: Limits) -> bytes:
    """The body as the server meant it. Crawlers often store it decoded and leave the headers: then it is kept.

    Raises RejectError `corrupt_http_body`, `unsupported_encoding`, `too_large`, `compression_bomb`.
    """
    body = response.body
    if response.headers.get("transfer-encoding", "").lower() == "chunked":
        body = _join_chunks(body)
    for encoding in reversed(response.headers.get("content-encoding", "").lower().split(",")):
        match encoding.strip():
            case "gzip" | "x-gzip" if body.startswith(GZIP_MAGIC):
                body = _drain(GzipStream(io.BytesIO(body), limits), limits)
            case "deflate":
                body = _inflate(body, limits)
            case "zstd" if body.startswith(b"\x28\xb5\x2f\xfd"):
                body = _drain(ZstdStream(io.BytesIO(body), limits), limits)
            case "br" if body.lstrip()[:1] != b"<":
                raise RejectError("unsupported_encoding", "brotli")
    if len(body) > limits.max_document_bytes:
        raise RejectError("too_large", f"more than {limits.max_document_bytes} bytes")
    return body


def _drain(stream: GzipStream | ZstdStream, limits: Limits) -> bytes:
    try:
        return read_bounded(stream, limits)
    except RejectError as error:
        if error.reason in {"corrupt_gzip", "truncated_gzip", "corrupt_zstd"}:
            raise RejectError("corrupt_http_body", error.detail) from None
        raise


def _inflate(body: bytes, limits: Limits) -> bytes:
    """`deflate` means zlib, and some servers send it bare; what is neither is taken as decoded already."""
    for window in (zlib.MAX_WBITS, -zlib.MAX_WBITS):
        inflater = zlib.decompressobj(window)
        try:
            out = inflater.decompress(body, limits.max_document_bytes + 1)
        except zlib.error:
            continue
        guard_ratio(len(body), len(out), limits)
        return out
    return body


def _join_chunks(body: bytes) -> bytes:
    parts: list[bytes] = []
    position = 0
    while size := _CHUNK_SIZE.match(body, position):
        num_bytes = int(size[1], 16)
        if not num_bytes:
            return b"".join(parts)
        parts.append(body[size.end() : size.end() + num_bytes])
        position = size.end() + num_bytes
    return b"".join(parts) if parts and position >= len(body) else body
