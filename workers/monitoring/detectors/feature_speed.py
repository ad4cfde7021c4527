"""Features change far faster or more slowly than before at the same learning rate: a layer runs away, or is frozen.

The series is the relative change of hidden states on a fixed batch since the measurement before. It is held against
the learning rates in between, added up.
"""

import math
from collections.abc import Mapping
from typing import Any

from workers.monitoring.detectors._levels import Excess, LevelDetector, layer_series, place
from workers.monitoring.detectors._shared import Sighting, median
from workers.specs.monitoring import FeatureSpeed

WITH_IT = "effective_rank"
"""A series that each measurement has, the first one too."""


class FeatureSpeedDetector(LevelDetector):
    """Judges the change by learning rate, upwards and downwards."""

    kind, watched = "feature_speed", "feature_speed"

    def __init__(self, spec: FeatureSpeed) -> None:
        super().__init__(spec.window_probes, spec.min_probes, spec.patience_probes)
        self.spec = spec
        self._lr_sum: float | None = None
        """Of the steps since the last measurement; None: there is none to go by."""

    def observe(self, step: int, values: Mapping[str, float], lr_scale: float = 1.0) -> list[Sighting]:
        """Judge the measurement, if there is one, then count this step's rate."""
        found = super().observe(step, values, lr_scale)
        if any(layer_series(series) == WITH_IT for series in values):
            self._lr_sum = 0.0
        if "loss" in values and self._lr_sum is not None:
            self._lr_sum += values.get("scheduled_lr", 0.0) * lr_scale
        return found

    def figure(self, series: str, values: Mapping[str, float], lr_scale: float) -> float:
        """Change at rate 1."""
        return values[series] / self._lr_sum if self._lr_sum and values[series] > 0 else math.nan

    def judge(self, series: str, value: float, past: list[float], values: Mapping[str, float]) -> Excess | None:
        """Over `factor` times its level, or under one part of so many."""
        if not past or abs(math.log(value / median(past))) <= math.log(self.spec.factor):
            return None
        speed = values[series]
        usual = speed * median(past) / value
        word = "faster" if speed > usual else "more slowly"
        message = f"features of {place(series)} change much {word} than before: by {speed:.3g}, not {usual:.3g}"
        return Excess(message, usual * self.spec.factor if speed > usual else usual / self.spec.factor, usual)

    def rewind(self, step: int) -> None:
        """Forget the measurements from `step` on; the next one has nothing to be held against."""
        super().rewind(step)
        self._lr_sum = None

    def state_dict(self) -> dict[str, object]:
        """JSON-able."""
        return super().state_dict() | {"lr_sum": self._lr_sum}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse."""
        super().load_state_dict(state)
        self._lr_sum = None if state["lr_sum"] is None else float(state["lr_sum"])
