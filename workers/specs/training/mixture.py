"""Training on several dataset versions, or on parts of one, with weights."""

from pydantic import Field

from workers.specs.base import Digest, Language, Spec


class MixtureSource(Spec):
    """A dataset version, or the part of it in some languages or quality buckets."""

    dataset: Digest
    """All versions of a mixture have the same tokenizer (`tokenizer.dataset` of curation)."""
    weight: float = Field(gt=0, le=1e6)
    """Its share of the sequences is its weight over the sum of all weights."""
    languages: list[Language] = Field(default_factory=list)
    """Documents of these languages; empty: all."""
    buckets: list[int] = Field(default_factory=list)
    """Documents of these quality buckets; empty: all."""
