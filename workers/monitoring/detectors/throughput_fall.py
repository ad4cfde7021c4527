"""Steps take much longer than they used to: another process on the machine, a hot GPU, a slow disk."""

import math
from collections.abc import Mapping

from workers.monitoring.detectors._shared import Sighting, median
from workers.monitoring.detectors._windows import WindowDetector
from workers.specs.monitoring import ThroughputFall

SERIES = "step_seconds"
JUDGED_STEPS = 10
"""So long a window changes little from step to step."""


class ThroughputFallDetector(WindowDetector):
    """Judges the median of the last steps against that of those before them."""

    kind = "throughput_fall"

    def __init__(self, spec: ThroughputFall) -> None:
        super().__init__(spec.window_steps + spec.recent_steps)
        self.spec = spec

    def observe(self, step: int, values: Mapping[str, float], lr_scale: float = 1.0) -> list[Sighting]:
        """Take in how long the step before took."""
        if not 0 < values.get(SERIES, 0.0) < math.inf:
            return []
        self._windows.add(SERIES, step, values[SERIES])
        if step % JUDGED_STEPS:
            return []
        seconds = self._windows.values(SERIES)
        recent, past = seconds[-self.spec.recent_steps :], seconds[: -self.spec.recent_steps]
        if len(past) < self.spec.window_steps // 4:
            return []
        now, usual = median(recent), median(past)
        if not self.first_time(SERIES, now * self.spec.factor > usual):
            return []
        return [
            Sighting(
                detector=self.kind,
                series=SERIES,
                step=step,
                onset=max(step - self.spec.recent_steps, 0),
                value=now,
                severity="warning",
                message=f"a step takes {now:.3g} s, {now / usual:.1f} times as long as before ({usual:.3g} s)",
                threshold=usual / self.spec.factor,
                baseline=usual,
            )
        ]
