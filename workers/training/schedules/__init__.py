"""Learning-rate schedules, one file a kind."""

from collections.abc import Callable
from typing import Any

from workers.specs.training.schedules import Schedule
from workers.specs.training.stages import PlannedStage
from workers.training.schedules import cosine, inverse_sqrt, linear, piecewise, wsd

_FACTORS: dict[str, Callable[[int, int, Any], float]] = {
    "wsd": wsd.factor,
    "cosine": cosine.factor,
    "linear": linear.factor,
    "inverse_sqrt": inverse_sqrt.factor,
    "piecewise": piecewise.factor,
}


def factor(step: int, num_steps: int, spec: Schedule) -> float:
    """Factor of the peak rate at `step` of `num_steps`; in [0, 1] but for points of one's own."""
    return _FACTORS[spec.kind](step, num_steps, spec)


def scheduled_lr(stage: PlannedStage, step: int) -> float:
    """What the spec alone makes the rate at the run's step `step`."""
    return stage.lr * factor(stage.schedule_step(step), stage.schedule_steps, stage.schedule)
