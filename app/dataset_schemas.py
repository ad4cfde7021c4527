"""What the REST API answers about datasets, beyond versions and samples, and about the store's upkeep."""

from datetime import datetime
from typing import Any, Literal

from pydantic import ConfigDict, Field

from app.schemas import DatasetVersion, Sample, Schema


class Histogram(Schema):
    """How one figure of a filter is spread over the documents that reached its rule."""

    rule: str
    """`<filter kind>.<field of its spec>`."""
    language: str
    bound: Literal["min", "max"]
    """On which side of the threshold documents are dropped: below a `min`, above a `max`."""
    threshold: float | None
    edges: list[float]
    """Of the bins, one more than there are; the threshold is one of them, and the outer bins are open."""
    documents: list[int]
    bytes: list[int]


class ClusterMember(Schema):
    """A document of a cluster of near-duplicates."""

    document_id: str
    source: str
    url: str | None
    kept: bool
    similarity: float | None
    """With the kept one: share of equal MinHash values."""
    text: str
    truncated: bool = False


class Cluster(Schema):
    """Documents that dedup took for copies of one another; at most a few of them."""

    cluster_id: int
    language: str
    size: int
    members: list[ClusterMember]


class Pair(Schema):
    """A count on both sides."""

    left: int
    right: int


class RulePair(Pair):
    """Documents that a rule dropped."""

    rule: str


class SpecChange(Schema):
    """A field in which two specs differ; null where one has none."""

    pointer: str
    left: Any
    right: Any


class DocumentCounts(Schema):
    """Documents by the versions that hold them."""

    only_left: int
    only_right: int
    both: int
    """In both, with the same text or another."""
    changed: int
    """Of those in both: with another text."""


class DocumentExamples(Schema):
    """A few documents that one version alone holds."""

    only_left: list[Sample]
    only_right: list[Sample]


class DatasetComparison(Schema):
    """Two dataset versions side by side."""

    left: DatasetVersion
    right: DatasetVersion
    spec: list[SpecChange]
    documents: DocumentCounts | None
    """Null where a version has no index of its documents: it was made before there were, or is deleted."""
    tokens: dict[str, Pair]
    """By language."""
    rules: list[RulePair]
    examples: DocumentExamples


class CollectRequest(Schema):
    """One step of collecting garbage: about 20 seconds of work."""

    model_config = ConfigDict(extra="forbid")

    apply: bool = False
    """Delete; else only count."""
    grace_hours: float = Field(24.0, ge=1, le=24 * 365)
    """Younger blobs stay: an upload may be on its way to become an artifact."""
    cursor: str | None = Field(None, max_length=1000)
    """`next_cursor` of the step before."""


class Collected(Schema):
    """What one step found in its part of the store."""

    blobs: int
    bytes: int
    referenced: int
    """Blobs that an artifact names."""
    shared: int
    """Of these: named by more than one artifact."""
    young: int
    """Blobs that no artifact names, but which are too young, or were stored while a run that still runs was running."""
    garbage: int
    """Blobs that no artifact names, old enough to go."""
    garbage_bytes: int
    deleted: int
    deleted_bytes: int
    cutoff: datetime
    """Only blobs stored before this moment are deleted."""
    examples: list[str]
    """Some of the garbage, by SHA-256."""
    next_cursor: str | None
    """None: the whole store was looked at."""
