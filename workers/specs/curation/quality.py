"""Model-based quality: a small trained scorer, as a column, a threshold, or buckets."""

from typing import Literal

from pydantic import Field

from workers.specs.base import Language, Spec


class QualityScore(Spec):
    """Scores documents 0 to 5 with a trained scorer (FineWeb-Edu, arXiv 2406.17557, section 4)."""

    kind: Literal["quality_score"] = "quality_score"
    languages: list[Language] = Field(default_factory=list)
    """Languages it judges; empty: all."""
    scorer: str = Field(min_length=1)
    """Digest (`sha256:...`) of a trained scorer, or its folder on the worker."""
    min_score: float | None = Field(None, ge=0, le=5)
    """Documents below are dropped; none: all are kept with their score."""
    buckets: list[float] = [1.0, 2.0, 3.0, 4.0]
    """Ascending bounds of the buckets that mixtures can weigh; n bounds make n + 1 buckets, numbered from 0."""
