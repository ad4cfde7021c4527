"""Activations of a layer grow: the residual stream leaves the range in which the layers above have learnt."""

from collections.abc import Mapping

from workers.monitoring.detectors._levels import Excess, LevelDetector, place
from workers.monitoring.detectors._shared import median
from workers.specs.monitoring import ActivationDrift

NUM_RECENT = 8
"""Measurements whose median is the level: in healthy runs the residual stream grows too, but slowly."""


class ActivationDriftDetector(LevelDetector):
    """Judges growth over the last measurements."""

    kind, watched = "activation_drift", "activation_rms"

    def __init__(self, spec: ActivationDrift) -> None:
        super().__init__(spec.window_probes, spec.min_probes, spec.patience_probes)
        self.spec = spec

    def judge(self, series: str, value: float, past: list[float], values: Mapping[str, float]) -> Excess | None:
        """Over `factor` times its level."""
        if not past or value <= self.spec.factor * (level := median(past[-NUM_RECENT:])):
            return None
        message = f"activations after {place(series)} have RMS {value:.4g}, otherwise {level:.4g}"
        return Excess(message, self.spec.factor * level, level)
