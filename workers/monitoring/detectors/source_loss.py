"""The loss on one source of the mixture leaves the others: its data have changed, or are forgotten."""

import math
from collections.abc import Mapping

from workers.monitoring.detectors._shared import MAD_TO_SIGMA, Sighting, median
from workers.monitoring.detectors._windows import WindowDetector
from workers.specs.monitoring import SourceLoss

PREFIX = "loss/"


class SourceLossDetector(WindowDetector):
    """Judges the logarithm of a source's loss over the loss of all, which the course of training moves little."""

    kind = "source_loss"

    def __init__(self, spec: SourceLoss) -> None:
        super().__init__(spec.window_steps + spec.recent_steps)
        self.spec = spec

    def observe(self, step: int, values: Mapping[str, float], lr_scale: float = 1.0) -> list[Sighting]:
        """Take in the sources of this step."""
        total = values.get("loss", math.nan)
        if not (math.isfinite(total) and total > 0):
            return []
        losses = {s: v for s, v in values.items() if s.startswith(PREFIX) and math.isfinite(v) and v > 0}
        return [s for series, loss in losses.items() if (s := self._observe(step, series, loss, total))]

    def _observe(self, step: int, series: str, loss: float, total: float) -> Sighting | None:
        self._windows.add(series, step, math.log(loss / total))
        gaps = self._windows.values(series)
        recent, past = gaps[-self.spec.recent_steps :], gaps[: -self.spec.recent_steps]
        if len(past) < self.spec.window_steps // 2:
            return None
        level = median(past)
        sigma = MAD_TO_SIGMA * median([abs(gap - level) for gap in past])
        rise, error = median(recent) - level, 1.25 * sigma / len(recent) ** 0.5
        limit = max(math.log1p(self.spec.rise), self.spec.threshold * error)
        if not self.first_time(series, rise > limit):
            return None
        name = series.removeprefix(PREFIX)
        return Sighting(
            detector=self.kind,
            series=series,
            step=step,
            onset=step,
            value=loss,
            severity="warning",
            message=f"the loss on {name} leaves the others: {math.exp(median(recent)):.2f} times the loss of all, "
            f"otherwise {math.exp(level):.2f} times",
            threshold=math.exp(level + limit) * total,
            baseline=math.exp(level) * total,
        )
