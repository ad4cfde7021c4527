"""Dedup: exact on normalised text, then MinHash within each language; the first document of a cluster stays.

Workers sign documents in parallel; one `Deduplicator` then goes through the signatures in document order.
"""

from dataclasses import dataclass

from workers.curation.dedup.exact import ExactIndex, text_digest
from workers.curation.dedup.minhash import MinhashIndex, Signer, Vector
from workers.curation.document import Drop
from workers.curation.text import Text
from workers.specs.curation import Dedup

__all__ = ["Deduplicator", "Signature", "Verdicts", "build_signer"]


@dataclass(slots=True)
class Signature:
    """What dedup needs of a document."""

    language: str
    digest: bytes
    minhash: Vector | None


@dataclass(slots=True)
class Verdicts:
    """One entry a document, in document order."""

    drops: list[Drop | None]
    cluster_sizes: list[int]
    """Documents in the cluster of a kept document, itself included; 0 for the others."""

    @property
    def num_kept(self) -> int:
        """Documents that stay."""
        return sum(drop is None for drop in self.drops)


class DocumentSigner:
    """Signs documents; made once a process."""

    def __init__(self, spec: Dedup) -> None:
        self.minhash = Signer(spec.num_buckets * spec.hashes_per_bucket, spec.ngram) if spec.minhash else None

    def sign(self, text: Text) -> Signature:
        minhash = self.minhash.sign(text.words) if self.minhash else None
        return Signature(text.language, text_digest(text.text), minhash)


def build_signer(spec: Dedup) -> DocumentSigner:
    """The signer that a spec describes."""
    return DocumentSigner(spec)


class Deduplicator:
    """Takes signatures in document order, then tells which documents go."""

    def __init__(self, spec: Dedup) -> None:
        self.spec = spec
        self.exact = ExactIndex()
        self.minhash: dict[str, MinhashIndex] = {}
        self._exact_first: list[int] = []
        self._languages: list[str] = []

    def add(self, signature: Signature) -> None:
        """Take the next document. An exact duplicate never reaches MinHash."""
        position = len(self._languages)
        self._languages.append(signature.language)
        first = self.exact.add(signature.digest, position) if self.spec.exact else position
        self._exact_first.append(first)
        if first == position and signature.minhash is not None:
            index = self.minhash.setdefault(
                signature.language, MinhashIndex(self.spec.num_buckets, self.spec.hashes_per_bucket)
            )
            index.add(position, signature.minhash)

    def verdicts(self) -> Verdicts:
        """Which documents are dropped, and how many each kept one stands for."""
        drops: list[Drop | None] = []
        keepers: list[int] = []
        for position, first in enumerate(self._exact_first):
            index = self.minhash.get(self._languages[first])
            keeper = index.keeper(first) if index else first
            if first != position:
                drops.append(Drop("dedup.exact", 1.0, 1.0))
            elif keeper != position and index:
                drops.append(Drop("dedup.minhash", index.similarity(position), index.threshold))
            else:
                drops.append(None)
            keepers.append(keeper)
        sizes = [0] * len(keepers)
        for keeper in keepers:
            sizes[keeper] += 1
        return Verdicts(drops, sizes)
