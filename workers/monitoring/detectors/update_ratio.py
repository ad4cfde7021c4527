"""Updates of a layer are out of proportion to its weights: it forgets what it has learnt, or has stopped to learn.

A healthy ratio is about 1e-3: https://cs231n.github.io/neural-networks-3/ (ratio of weights to updates).
"""

import math
from collections.abc import Mapping

from workers.monitoring.detectors._levels import Excess, LevelDetector, place
from workers.monitoring.detectors._rates import at_one_rate
from workers.monitoring.detectors._shared import median
from workers.specs.monitoring import UpdateRatio


class UpdateRatioDetector(LevelDetector):
    """Judges the ratio over the learning rate, upwards and downwards; a huge one is a finding of its own."""

    kind, watched = "update_ratio", "update_ratio"

    def __init__(self, spec: UpdateRatio) -> None:
        super().__init__(spec.window_probes, spec.min_probes, spec.patience_probes)
        self.spec = spec

    def figure(self, series: str, values: Mapping[str, float], lr_scale: float) -> float:
        """The ratio at rate 1."""
        past = [v for _, v in self._pasts.get(series, [])]
        return at_one_rate(values[series], values.get("scheduled_lr", 0.0), lr_scale, past)

    def judge(self, series: str, value: float, past: list[float], values: Mapping[str, float]) -> Excess | None:
        """Against the past, and against `max_ratio` as it is."""
        ratio = values[series]
        if ratio > self.spec.max_ratio:
            message = f"one step changes {place(series)} by {ratio:.3g} of its weights"
            return Excess(message, self.spec.max_ratio, finding="large_update", at_once=True)
        if not past or abs(math.log(value / median(past))) <= math.log(self.spec.factor):
            return None
        usual = ratio * median(past) / value
        word = "more" if ratio > usual else "less"
        message = f"updates of {place(series)} are {ratio:.3g} of its weights, much {word} than {usual:.3g} as before"
        return Excess(message, usual * self.spec.factor if ratio > usual else usual / self.spec.factor, usual)
