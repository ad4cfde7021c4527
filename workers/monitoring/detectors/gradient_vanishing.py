"""The gradient of one layer vanishes: nothing reaches it any more, and it learns nothing."""

import math
from collections.abc import Mapping

from workers.monitoring.detectors._levels import Excess, LevelDetector, place
from workers.monitoring.detectors._shared import median, robust_z
from workers.specs.monitoring import GradientVanishing

FLOOR = 0.3
"""Least sigma of the log."""


class GradientVanishingDetector(LevelDetector):
    """Judges the logarithm, against factor and robust z-score both."""

    kind, watched = "gradient_vanishing", "grad_norm"

    def __init__(self, spec: GradientVanishing) -> None:
        super().__init__(spec.window_probes, spec.min_probes, spec.patience_probes)
        self.spec = spec

    def figure(self, series: str, values: Mapping[str, float], lr_scale: float) -> float:
        """The norm of a layer at measured steps; that of the whole says nothing about where."""
        return values[series] if series != self.watched else math.nan

    def judge(self, series: str, value: float, past: list[float], values: Mapping[str, float]) -> Excess | None:
        """Under `factor` of its level, and far out of its noise."""
        if not past:
            return None
        level, logs = median(past), [math.log(max(v, 1e-30)) for v in past]
        z = -robust_z(math.log(max(value, 1e-30)), logs, FLOOR)
        if value >= self.spec.factor * level or z <= self.spec.threshold:
            return None
        message = f"the gradient of {place(series)} has vanished: norm {value:.4g}, otherwise {level:.4g}"
        return Excess(message, self.spec.factor * level, level)
