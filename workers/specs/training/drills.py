"""Planted faults: a fire drill that shows whether the controller brings a run back."""

from typing import Annotated, Literal

from pydantic import Field

from workers.specs.base import Spec


class LrTimes(Spec):
    """From a step on the learning rate is multiplied, and stays so: the controller has to make up for it."""

    kind: Literal["lr_times"] = "lr_times"
    step: int = Field(ge=0)
    factor: float = Field(50.0, gt=0)


class PoisonedBatches(Spec):
    """A burst of batches whose tokens are random."""

    kind: Literal["poisoned_batches"] = "poisoned_batches"
    step: int = Field(ge=0)
    """Number of the first batch; without roll-backs it is that of its step."""
    num_batches: int = Field(20, ge=1)


class RepeatedToken(Spec):
    """A burst of batches of one token, again and again."""

    kind: Literal["repeated_token"] = "repeated_token"
    step: int = Field(ge=0)
    """Number of the first batch."""
    num_batches: int = Field(20, ge=1)


class CorruptedShard(Spec):
    """Batches in which a share of the sequences is garbage."""

    kind: Literal["corrupted_shard"] = "corrupted_shard"
    step: int = Field(ge=0)
    """Number of the first batch."""
    num_batches: int = Field(40, ge=1)
    share: float = Field(0.5, gt=0, le=1)


class SourceBurst(Spec):
    """Batches of one source of the mixture alone: another language in a burst, or a mixture that switches."""

    kind: Literal["source_burst"] = "source_burst"
    step: int = Field(ge=0)
    """Number of the first batch."""
    num_batches: int = Field(20, ge=1)
    source: int = Field(1, ge=0)
    """Which of the run's sources, from 0 on in the order in which they first come."""


class NanGradient(Spec):
    """One step's gradient is not a number."""

    kind: Literal["nan_gradient"] = "nan_gradient"
    step: int = Field(ge=0)


class BitFlip(Spec):
    """One bit of one weight turns over before a step."""

    kind: Literal["bit_flip"] = "bit_flip"
    step: int = Field(ge=0)
    bit: int = Field(30, ge=0, le=30)
    """Of the float32; 23 to 30 are the exponent."""


class QkGrowth(Spec):
    """In each of some steps all queries are multiplied: attention logits grow until softmax saturates."""

    kind: Literal["qk_growth"] = "qk_growth"
    step: int = Field(ge=0)
    num_steps: int = Field(60, ge=1)
    factor: float = Field(1.1, gt=1)


class MomentsLost(Spec):
    """The optimizer's state is lost before a step."""

    kind: Literal["moments_lost"] = "moments_lost"
    step: int = Field(ge=0)


Drill = Annotated[
    LrTimes
    | PoisonedBatches
    | RepeatedToken
    | CorruptedShard
    | SourceBurst
    | NanGradient
    | BitFlip
    | QkGrowth
    | MomentsLost,
    Field(discriminator="kind"),
]
