"""Warm-up, then a straight line down. arXiv 2310.07831"""

from workers.specs.training.schedules import Linear
from workers.training.schedules._shared import done_after_warmup, warmup


def factor(step: int, num_steps: int, spec: Linear) -> float:
    """Share of the peak rate at `step` in [0, num_steps): 1 after the warm-up, towards `min_factor` at the end."""
    if step < spec.warmup_steps:
        return warmup(step, spec.warmup_steps)
    return 1 - (1 - spec.min_factor) * done_after_warmup(step, num_steps, spec.warmup_steps)
