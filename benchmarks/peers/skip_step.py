"""The peer policy of OLMo-core and levanter: leave an update out when loss or gradient norm is far off.

Six standard deviations over the mean of the last 128 steps, active after 64. Steps left out enter the window too.
https://github.com/allenai/OLMo-core (SkipStepOptimizer), https://github.com/stanford-crfm/levanter (skip bad steps)
"""

import math
import statistics
from collections import deque

from workers.monitoring.telemetry import Decision, Telemetry
from workers.training.silence import NoWatch

WINDOW, MIN_STEPS, NUM_SIGMAS = 128, 64, 6.0


class SkipStep(NoWatch):
    """Counts what it leaves out in `num_skipped`."""

    def __init__(self) -> None:
        super().__init__()
        self.num_skipped = 0
        self.first_skip: int | None = None
        self._losses: deque[float] = deque(maxlen=WINDOW)
        self._norms: deque[float] = deque(maxlen=WINDOW)

    def before_update(self, telemetry: Telemetry) -> Decision:
        """Judge by the steps before this one."""
        pairs = ((self._losses, telemetry.loss), (self._norms, telemetry.grad_norm))
        skip = any(is_far(past, value) for past, value in pairs)
        for past, value in pairs:
            if math.isfinite(value):
                past.append(value)
        if skip:
            self.num_skipped += 1
            self.first_skip = telemetry.step if self.first_skip is None else self.first_skip
        return Decision(discard_update=skip)


def is_far(past: deque[float], value: float) -> bool:
    """Over mean plus six standard deviations, or not finite."""
    if not math.isfinite(value):
        return True
    return len(past) >= MIN_STEPS and value > statistics.fmean(past) + NUM_SIGMAS * statistics.pstdev(past)
