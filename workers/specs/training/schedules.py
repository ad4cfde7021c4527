"""Learning-rate schedules: a factor of the peak rate, by step."""

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from workers.specs.base import Spec


class Wsd(Spec):
    """Warm-up, stable, decay to 0. arXiv 2405.18392"""

    kind: Literal["wsd"] = "wsd"
    warmup_steps: int = Field(50, ge=0)
    decay_share: float = Field(0.2, ge=0, le=1)
    """Share of all steps spent in the decay."""
    decay_shape: Literal["linear", "cosine", "one_minus_sqrt"] = "linear"
    """`one_minus_sqrt` falls fast at first; arXiv 2405.18392 found it the best of the three."""


class Cosine(Spec):
    """Warm-up, then half a cosine down to `min_factor`. arXiv 1608.03983"""

    kind: Literal["cosine"] = "cosine"
    warmup_steps: int = Field(50, ge=0)
    min_factor: float = Field(0.1, ge=0, le=1)


class Linear(Spec):
    """Warm-up, then a straight line down to `min_factor`. arXiv 2310.07831"""

    kind: Literal["linear"] = "linear"
    warmup_steps: int = Field(50, ge=0)
    min_factor: float = Field(0.0, ge=0, le=1)


class InverseSqrt(Spec):
    """Warm-up, then 1 / sqrt(step): no end is planned. arXiv 1706.03762"""

    kind: Literal["inverse_sqrt"] = "inverse_sqrt"
    warmup_steps: int = Field(50, ge=0)
    timescale_steps: int | None = Field(None, ge=1)
    """Steps after which the decay sets in; none: as many as the warm-up."""


class Point(Spec):
    """One corner of a piecewise schedule."""

    share: float = Field(ge=0, le=1)
    """Where: share of all steps."""
    factor: float = Field(ge=0, le=10)
    """Factor of the peak rate there."""


class Piecewise(Spec):
    """Straight lines between points of your own."""

    kind: Literal["piecewise"] = "piecewise"
    points: list[Point] = Field(
        default=[Point(share=0, factor=0.1), Point(share=0.1, factor=1), Point(share=1, factor=0.1)], min_length=2
    )
    """Corners in their order. Before the first and after the last the factor stays."""

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if any(left.share >= right.share for left, right in pairwise(self.points)):
            raise ValueError("the shares of a piecewise schedule must ascend")
        return self

    @property
    def warmup_steps(self) -> int:
        """It has no warm-up but what its points say."""
        return 0


Schedule = Annotated[Wsd | Cosine | Linear | InverseSqrt | Piecewise, Field(discriminator="kind")]
