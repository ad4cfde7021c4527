"""Warm-up, stable, decay to 0. arXiv 2405.18392"""

import math

from workers.specs.training.schedules import Wsd
from workers.training.schedules._shared import warmup


def factor(step: int, num_steps: int, spec: Wsd) -> float:
    """Share of the peak rate at `step` in [0, num_steps). Never 0: the step after the last would be the first at 0."""
    decay_steps = round(spec.decay_share * num_steps)
    left = min((num_steps - step) / decay_steps, 1.0) if decay_steps else 1.0
    return min(warmup(step, spec.warmup_steps), _decay(left, spec))


def _decay(left: float, spec: Wsd) -> float:
    """Factor when the share `left` of the decay is still to come."""
    if spec.decay_shape == "cosine":
        return (1 - math.cos(math.pi * left)) / 2
    if spec.decay_shape == "one_minus_sqrt":
        return 1 - math.sqrt(1 - left)
    return left
