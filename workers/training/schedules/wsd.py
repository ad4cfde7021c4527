"""Warm-up, stable, linear decay to 0. arXiv 2405.18392"""

from workers.specs.training.schedules import Wsd


def factor(step: int, num_steps: int, spec: Wsd) -> float:
    """Share of the peak rate at `step` in [0, num_steps). Never 0: the step after the last would be the first at 0."""
    warmup = min((step + 1) / spec.warmup_steps, 1.0) if spec.warmup_steps else 1.0
    decay_steps = round(spec.decay_share * num_steps)
    decay = min((num_steps - step) / decay_steps, 1.0) if decay_steps else 1.0
    return min(warmup, decay)
