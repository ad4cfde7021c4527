"""Straight lines between points."""

from itertools import pairwise

from workers.specs.training.schedules import Piecewise


def factor(step: int, num_steps: int, spec: Piecewise) -> float:
    """Factor of the peak rate at `step` in [0, num_steps); the last step stands at share 1."""
    at = step / max(num_steps - 1, 1)
    for left, right in pairwise(spec.points):
        if at <= right.share:
            done = max(at - left.share, 0.0) / (right.share - left.share)
            return left.factor + (right.factor - left.factor) * done
    return spec.points[-1].factor
