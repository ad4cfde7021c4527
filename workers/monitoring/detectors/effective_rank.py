"""Features collapse: the effective rank of hidden states falls while the loss gains nothing by it.

Effective rank: exp of the entropy of the normalised singular values. Roy and Vetterli 2007,
https://ieeexplore.ieee.org/document/7098875
"""

import math
from collections.abc import Mapping
from typing import Any

from workers.monitoring.detectors._levels import Excess, LevelDetector, Point, layer_series, place
from workers.monitoring.detectors._shared import Sighting, median
from workers.specs.monitoring import EffectiveRank


class EffectiveRankDetector(LevelDetector):
    """Keeps the losses of its measurements beside the ranks."""

    kind, watched = "effective_rank", "effective_rank"

    def __init__(self, spec: EffectiveRank) -> None:
        super().__init__(spec.window_probes, spec.min_probes, spec.patience_probes)
        self.spec = spec
        self._losses: list[Point] = []

    def observe(self, step: int, values: Mapping[str, float], lr_scale: float = 1.0) -> list[Sighting]:
        """Judge the ranks, where they were measured."""
        found = super().observe(step, values, lr_scale)
        measured = any(layer_series(series) == self.watched for series in values)
        if measured and not self._over and math.isfinite(values.get("loss", math.nan)):
            self._losses = [*self._losses, (step, values["loss"])][-self._window :]
        return found

    def judge(self, series: str, value: float, past: list[float], values: Mapping[str, float]) -> Excess | None:
        """Under `factor` of its level, with a loss that has not fallen."""
        if not past or not self._losses or value >= self.spec.factor * (level := median(past)):
            return None
        before = median([loss for _, loss in self._losses])
        if values.get("loss", before) < before * (1 - self.spec.min_gain):
            return None
        message = f"features of {place(series)} collapse: effective rank {value:.1f}, otherwise {level:.1f}"
        return Excess(f"{message}, and the loss gains nothing by it", self.spec.factor * level, level)

    def rewind(self, step: int) -> None:
        """Forget the measurements from `step` on."""
        super().rewind(step)
        self._losses = [point for point in self._losses if point[0] < step]

    def state_dict(self) -> dict[str, object]:
        """JSON-able."""
        return super().state_dict() | {"losses": [list(point) for point in self._losses]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse."""
        super().load_state_dict(state)
        self._losses = [(int(s), float(v)) for s, v in state["losses"]]
