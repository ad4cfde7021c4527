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
    num_batches: int = Field(20, ge=1)


class NanGradient(Spec):
    """One step's gradient is not a number."""

    kind: Literal["nan_gradient"] = "nan_gradient"
    step: int = Field(ge=0)


Drill = Annotated[LrTimes | PoisonedBatches | NanGradient, Field(discriminator="kind")]
