"""What an action knows when it acts, the plan that it adds to, and what it gives back."""

import copy
from dataclasses import dataclass, field
from typing import Any

from workers.monitoring.scales import Scale
from workers.monitoring.telemetry import Decision, Settings


@dataclass(slots=True, frozen=True)
class Situation:
    """A finding, and what is known about it. JSON-able."""

    step: int
    onset: int
    """First step that was wrong."""
    return_before: int
    """A checkpoint to go back to was saved before this step."""
    kind: str
    """Of the finding."""
    level: int
    """0 for the first intervention, one more for each that follows before things are calm again."""
    updated: bool
    """The weights have changed already in this step."""
    message: str
    rise: float | None = None
    """What the series is over its level, as a factor; None: unknown."""
    baseline: float | None = None
    """Level of the series before, in its own unit."""
    series: str = ""
    """What the finding is about; `loss/NAME` of a source."""
    min_lr_scale: float = 0.01


@dataclass(slots=True)
class Plan:
    """What an intervention will do. Nothing is changed before the controller takes it up."""

    lr: Scale
    clip: Scale
    settings: Settings
    decision: Decision = field(default_factory=Decision)
    hold: str | None = None

    @classmethod
    def of(cls, lr: Scale, clip: Scale, settings: Settings) -> "Plan":
        """Starts from how things are; on copies."""
        return cls(copy.copy(lr), copy.copy(clip), settings)


@dataclass(slots=True)
class Change:
    """What an action changed, by name."""

    action: str
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)
