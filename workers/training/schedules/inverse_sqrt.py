"""Warm-up, then 1 / sqrt(step). arXiv 1706.03762, section 5.3"""

from workers.specs.training.schedules import InverseSqrt
from workers.training.schedules._shared import warmup


def factor(step: int, num_steps: int, spec: InverseSqrt) -> float:
    """Share of the peak rate at `step`; `num_steps` has no say."""
    timescale = spec.timescale_steps or max(spec.warmup_steps, 1)
    since = max(step + 1 - spec.warmup_steps, 0)
    return warmup(step, spec.warmup_steps) * (timescale / (timescale + since)) ** 0.5
