"""Signatures of a chunk as bytes for the journal: plain numbers and lengths, nothing that runs code when it is read."""

import struct
from collections.abc import Iterable, Iterator

from workers.curation.dedup import Signature

_HEAD = struct.Struct("<QQiiii")
_NONE = -1


def dump_signatures(signatures: Iterable[Signature]) -> bytes:
    """All of them in a row."""
    parts: list[bytes] = []
    for s in signatures:
        fields = (s.digest, s.url, s.minhash, s.lines)
        parts.append(_HEAD.pack(s.scope, s.group, *(_NONE if field is None else len(field) for field in fields)))
        parts.extend(field for field in fields if field)
    return b"".join(parts)


def load_signatures(content: bytes) -> Iterator[Signature]:
    """In their order."""
    at = 0
    while at < len(content):
        scope, group, *lengths = _HEAD.unpack_from(content, at)
        at += _HEAD.size
        fields: list[bytes | None] = []
        for length in lengths:
            fields.append(None if length == _NONE else content[at : at + length])
            at += max(length, 0)
        yield Signature(scope, group, *fields)
