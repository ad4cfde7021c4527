"""Exact dedup: documents whose text is the same but for case, blanks and Unicode composition."""

import hashlib
import unicodedata


def text_digest(text: str) -> bytes:
    """16 bytes that are equal for equal normalised texts."""
    normal = " ".join(unicodedata.normalize("NFC", text).lower().split())
    return hashlib.blake2b(normal.encode("utf-8", "surrogatepass"), digest_size=16).digest()


class ExactIndex:
    """Remembers where each digest was first seen."""

    def __init__(self) -> None:
        self._first: dict[bytes, int] = {}

    def add(self, digest: bytes, position: int) -> int:
        """Position at which the digest stood first; the given one when it is new."""
        return self._first.setdefault(digest, position)
