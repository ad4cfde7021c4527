"""How duplicates are found, and what becomes of them."""

from typing import Literal

from pydantic import Field, field_validator

from workers.specs.base import Spec


class LineDedup(Spec):
    """Lines that many documents share (menus, notices) are taken out (CCNet, arXiv 1911.00359)."""

    max_documents: int = Field(5, ge=1)
    """Documents of one language that may hold a line; beyond that the line goes from all of them."""
    min_chars: int = Field(20, ge=1)
    """Shorter lines stay."""


class Dedup(Spec):
    """Exact dedup, then MinHash LSH within each language; the first document of a cluster stays."""

    exact: bool = True
    """Documents whose normalised text is equal."""
    url: bool = False
    """Documents with the same address."""
    minhash: bool = True
    """Near-duplicates, by datatrove's signatures."""
    num_buckets: int = Field(14, ge=1, le=100)
    hashes_per_bucket: int = Field(8, ge=1, le=100)
    ngram: int = Field(5, ge=1, le=20)
    """Words in a shingle."""
    hash_bits: Literal[32, 64] = 64
    """Width of a hash (datatrove's `precision`)."""
    seed: int = Field(1, ge=0, lt=2**32)
    lines: LineDedup | None = None
    scope: Literal["all", "snapshot"] = "all"
    """`snapshot`: duplicates are looked for within the first folder of each source (FineWeb: one crawl), not across."""
    before_filters: bool = False
    """FineWeb-2 dedups first, FineWeb last."""
    rehydrate: bool = False
    """Keep more than one copy of what the web repeats (FineWeb-2), by `copies`."""
    copies: dict[int, int] = {1: 1, 2: 2, 3: 3, 5: 5, 100: 8, 1000: 1}
    """Least cluster size -> copies of the kept document."""
    memory_mb: int = Field(1024, ge=16)
    """Memory that dedup may take; beyond it, it works on disk."""

    @field_validator("copies")
    @classmethod
    def _has_an_answer_for_all(cls, copies: dict[int, int]) -> dict[int, int]:
        if 1 not in copies or min(copies) < 1:
            raise ValueError("cluster sizes start at 1, and 1 must be among them")
        if min(copies.values()) < 1:
            raise ValueError("at least one copy of a cluster stays")
        return dict(sorted(copies.items()))

    def copies_of(self, cluster_size: int) -> int:
        """Copies of the kept document for a cluster of this size."""
        return self.copies[max(least for least in self.copies if least <= cluster_size)]
