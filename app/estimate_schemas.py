"""What is asked of an estimate, and its answer."""

from typing import Any, Literal

from pydantic import ConfigDict, Field

from app.schemas import Schema
from workers.specs.estimate import Estimate

VocabSource = Literal["request", "dataset", "pipeline", "default"]


class EstimateRequest(Schema):
    """What a launch would take: as a LaunchRequest, a spec or a preset's name with changes."""

    model_config = ConfigDict(extra="forbid")

    spec: dict[str, Any] | None = None
    preset: str | None = None
    overrides: dict[str, Any] = Field(default_factory=dict)
    """Nested like the spec; only with `preset`."""
    vocab_size: int | None = Field(None, ge=2, le=1_000_000)
    """Tokens of the vocabulary; none: that of the dataset, or of the tokenizer that the pipeline trains."""


class EstimateAnswer(Schema):
    """The training part of a run, before it is launched."""

    vocab_size: int
    vocab_source: VocabSource
    """`default`: nothing says how large the vocabulary is."""
    training: Estimate
