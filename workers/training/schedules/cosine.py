"""Warm-up, then half a cosine. arXiv 1608.03983"""

import math

from workers.specs.training.schedules import Cosine
from workers.training.schedules._shared import done_after_warmup, warmup


def factor(step: int, num_steps: int, spec: Cosine) -> float:
    """Share of the peak rate at `step` in [0, num_steps): 1 after the warm-up, towards `min_factor` at the end."""
    if step < spec.warmup_steps:
        return warmup(step, spec.warmup_steps)
    done = done_after_warmup(step, num_steps, spec.warmup_steps)
    return spec.min_factor + (1 - spec.min_factor) * (1 + math.cos(math.pi * done)) / 2
