"""The gradient of one layer explodes while the norm of the whole may still look sound."""

import math
from collections.abc import Mapping

from workers.monitoring.detectors._levels import Excess, LevelDetector, place
from workers.monitoring.detectors._shared import median, robust_z
from workers.specs.monitoring import GradientExplosion

FLOOR = 0.2
"""Least sigma of the log."""


class GradientExplosionDetector(LevelDetector):
    """Judges the logarithm, against factor and robust z-score both."""

    kind, watched = "gradient_explosion", "grad_norm"

    def __init__(self, spec: GradientExplosion) -> None:
        super().__init__(spec.window_probes, spec.min_probes, spec.patience_probes)
        self.spec = spec

    def figure(self, series: str, values: Mapping[str, float], lr_scale: float) -> float:
        """The norm of a layer; that of the whole is the spike detector's."""
        return values[series] if series != self.watched else math.nan

    def judge(self, series: str, value: float, past: list[float], values: Mapping[str, float]) -> Excess | None:
        """Over `factor` times its level, and far out of its noise."""
        if not past:
            return None
        level, logs = median(past), [math.log(max(v, 1e-30)) for v in past]
        z = robust_z(math.log(max(value, 1e-30)), logs, FLOOR)
        if value <= self.spec.factor * level or z <= self.spec.threshold:
            return None
        message = f"the gradient of {place(series)} has norm {value:.4g}, otherwise {level:.4g} (z {z:.1f})"
        return Excess(message, self.spec.factor * level, level)
