"""Multi-token prediction: heads that predict tokens after the next, and what their loss weighs."""

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from workers.specs.base import Spec


class Sequential(Spec):
    """One block after another, each with the embedding of one more token. DeepSeek-V3, arXiv 2412.19437"""

    kind: Literal["sequential"] = "sequential"
    num_heads: int = Field(1, ge=1, le=8)
    """Tokens predicted beyond the next: the depth D."""

    def num_parameters(self, d_model: int, block: int) -> int:
        """Parameters in all, where one block of the model has `block`."""
        return self.num_heads * (block + 2 * d_model**2 + 3 * d_model)


class Parallel(Spec):
    """One block a head, all on the last hidden state. Meta, arXiv 2404.19737"""

    kind: Literal["parallel"] = "parallel"
    num_heads: int = Field(3, ge=1, le=8)
    """Tokens predicted beyond the next: the paper's n - 1."""

    def num_parameters(self, d_model: int, block: int) -> int:
        """Parameters in all, where one block of the model has `block`."""
        return self.num_heads * (block + d_model)


Mtp = Annotated[Sequential | Parallel, Field(discriminator="kind")]


class WeightPoint(Spec):
    """One corner of the weight over training."""

    share: float = Field(ge=0, le=1)
    """Where: share of all steps."""
    weight: float = Field(ge=0, le=10)


class MtpWeight(Spec):
    """What the mean loss of the heads is multiplied by. One point: a constant; linear to 0: it fades."""

    shape: Literal["steps", "linear"] = "steps"
    """Between points the weight stays, or goes straight to the next."""
    points: list[WeightPoint] = Field(
        default=[WeightPoint(share=0, weight=0.3), WeightPoint(share=0.68, weight=0.1)], min_length=1
    )
    """DeepSeek-V3: .3 for the first 10 of 14.8 T tokens, then .1. Before the first and after the last it stays."""

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if any(left.share >= right.share for left, right in pairwise(self.points)):
            raise ValueError("the shares of the MTP weight's points must ascend")
        return self

    def at(self, share: float) -> float:
        """The weight after `share` of all steps."""
        points = self.points
        if share <= points[0].share:
            return points[0].weight
        for left, right in pairwise(points):
            if share < right.share:
                if self.shape == "steps":
                    return left.weight
                way = (share - left.share) / (right.share - left.share)
                return left.weight + way * (right.weight - left.weight)
        return points[-1].weight
