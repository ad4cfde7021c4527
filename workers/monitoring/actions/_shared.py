"""What an action knows when it acts, and what it gives back."""

from dataclasses import dataclass, field
from typing import Literal

from workers.specs.monitoring import Response

Cause = Literal["data", "gradient", "update", "non_finite"]
"""Which series went wrong first. Loss: the batch is odd. Gradient: unclear. Update norm: the learning rate."""


@dataclass(slots=True, frozen=True)
class Situation:
    """A finding, and how often it was acted on before."""

    step: int
    onset: int
    """First step that was wrong."""
    return_before: int
    """The checkpoint to go back to was saved before this step."""
    cause: Cause
    level: int
    """0 for the first intervention, one more for each that follows before things are calm again."""
    response: Response
    lr_scale: float
    clip_scale: float
    min_lr_scale: float


@dataclass(slots=True)
class Change:
    """What an action changed, by name."""

    action: str
    before: dict[str, float] = field(default_factory=dict)
    after: dict[str, float] = field(default_factory=dict)
