"""What goes with the learning rate is judged at one rate: what a schedule, or the controller, does is no alarm."""

import math
from collections.abc import Sequence

from workers.monitoring.detectors._shared import median


def at_one_rate(value: float, scheduled_lr: float, lr_scale: float, past: Sequence[float]) -> float:
    """`value` over the scheduled rate and the controller's scale, or over the schedule alone: what is nearer the past.

    Both are right at times: the scale lowers a rate that was good, or makes up for one that is too high. NaN at rate 0.
    """
    if scheduled_lr <= 0 or lr_scale <= 0 or value <= 0:
        return math.nan
    plain = value / scheduled_lr
    if lr_scale == 1 or not past:
        return plain / lr_scale
    level = max(median(past), 1e-300)
    return min((plain, plain / lr_scale), key=lambda x: abs(math.log(max(x, 1e-300) / level)))
