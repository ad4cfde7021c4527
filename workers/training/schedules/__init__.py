"""Learning-rate schedules, one file a kind."""

from workers.specs.training.schedules import Cosine, Schedule
from workers.training.schedules import cosine, wsd


def factor(step: int, num_steps: int, spec: Schedule) -> float:
    """Share of the peak rate at `step` of `num_steps`, in (0, 1] (cosine may end at 0)."""
    if isinstance(spec, Cosine):
        return cosine.factor(step, num_steps, spec)
    return wsd.factor(step, num_steps, spec)
