"""What dedup needs of a document, and the signer that makes it in the worker processes."""

from dataclasses import dataclass

import xxhash

from workers.curation.dedup.exact import text_digest, url_digest
from workers.curation.dedup.lines import line_hashes
from workers.curation.dedup.minhash import MinhashSigner
from workers.curation.dedup.minhash import Signature as Minima
from workers.curation.dedup.normal import normal_words
from workers.curation.document import Document
from workers.curation.text import Text
from workers.specs.curation import Dedup


@dataclass(slots=True)
class Signature:
    """Small and picklable: about a kilobyte for 14 x 8 hashes."""

    scope: int
    """64 bits: documents of different scopes are never duplicates of each other; 0 where there is one scope."""
    group: int
    """64 bits of scope and language: within it near-duplicates are looked for and lines are counted."""
    digest: bytes | None = None
    """Of the normalised text; None where exact dedup is off."""
    url: bytes | None = None
    """Digest of the normalised address; None without one, or where URL dedup is off."""
    minhash: bytes | None = None
    """The minima, 4 or 8 bytes each, little-endian; None without a shingle, or where MinHash is off."""
    lines: bytes | None = None
    """64-bit hashes of the document's different lines; None where line dedup is off."""


class DocumentSigner:
    """Signs documents; made once a process."""

    def __init__(self, spec: Dedup) -> None:
        self.spec = spec
        self._minhash = MinhashSigner(
            num_hashes=spec.num_buckets * spec.hashes_per_bucket,
            ngram=spec.ngram,
            hash_bits=spec.hash_bits,
            seed=spec.seed,
        )
        self._dtype = f"<u{spec.hash_bits // 8}"

    def sign(self, document: Document, text: Text) -> Signature:
        """Sign a document whose text has come so far as `text`."""
        spec = self.spec
        scope = snapshot(document.source) if spec.scope == "snapshot" else ""
        signature = Signature(scope=_number(scope), group=_number(f"{scope}\0{text.language}"))
        if spec.exact:
            signature.digest = text_digest(text.text)
        if spec.url and document.url:
            signature.url = url_digest(document.url)
        minima = self.minima(text) if spec.minhash else None
        if minima is not None:
            signature.minhash = minima.astype(self._dtype).tobytes()
        if spec.lines:
            signature.lines = line_hashes(text, spec.lines).tobytes()
        return signature

    def minima(self, text: Text) -> Minima | None:
        """The MinHash signature, (num_buckets * hashes_per_bucket,): what datatrove writes, bucket by bucket."""
        return self._minhash.sign(normal_words(text.language).join(text.text))


def build_signer(spec: Dedup) -> DocumentSigner:
    """The signer that a spec describes."""
    return DocumentSigner(spec)


def snapshot(source: str) -> str:
    """First folder of a source: one crawl."""
    return source.split("/", 1)[0] if "/" in source else ""


def _number(name: str) -> int:
    return xxhash.xxh64_intdigest(name.encode()) if name else 0
