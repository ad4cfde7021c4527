"""Training waits for its data: reading takes a good part of each step."""

import math
from collections.abc import Mapping

from workers.monitoring.detectors._shared import Sighting, median
from workers.monitoring.detectors._windows import WindowDetector
from workers.specs.monitoring import DataStarvation

SERIES = "data_wait_seconds"
SHARE = "data_wait_share"


class DataStarvationDetector(WindowDetector):
    """Judges the median share of the last steps."""

    kind = "data_starvation"

    def __init__(self, spec: DataStarvation) -> None:
        super().__init__(spec.window_steps)
        self.spec = spec

    def observe(self, step: int, values: Mapping[str, float], lr_scale: float = 1.0) -> list[Sighting]:
        """Take in what the step before took."""
        if not (math.isfinite(values.get(SERIES, math.nan)) and 0 < values.get("step_seconds", 0.0) < math.inf):
            return []
        self._windows.add(SERIES, step, values[SERIES])
        self._windows.add(SHARE, step, values[SERIES] / values["step_seconds"])
        if not self._windows.full(SERIES):
            return []
        share, seconds = median(self._windows.values(SHARE)), median(self._windows.values(SERIES))
        if not self.first_time(SERIES, share > self.spec.share and seconds >= self.spec.min_seconds):
            return []
        return [
            Sighting(
                detector=self.kind,
                series=SERIES,
                step=step,
                onset=self._windows.first_step(SERIES),
                value=seconds,
                severity="warning",
                message=f"steps wait {seconds:.3g} s for their data, {share:.0%} of their time",
                threshold=self.spec.share * values["step_seconds"],
            )
        ]
