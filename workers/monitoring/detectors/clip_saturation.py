"""Clipping fires at almost every step and takes most of the gradient: the limit sets the size of updates."""

import math
from collections.abc import Mapping

from workers.monitoring.detectors._shared import Sighting, median
from workers.monitoring.detectors._windows import WindowDetector
from workers.specs.monitoring import ClipSaturation

SERIES = "clipped_share"
KEPT = "kept_share"
JUDGED_STEPS = 10
"""So long a window changes little from step to step."""


class ClipSaturationDetector(WindowDetector):
    """Counts the steps that were clipped."""

    kind = "clip_saturation"

    def __init__(self, spec: ClipSaturation) -> None:
        super().__init__(spec.window_steps)
        self.spec = spec

    def observe(self, step: int, values: Mapping[str, float], lr_scale: float = 1.0) -> list[Sighting]:
        """Take in what clipping did in this step."""
        if SERIES not in values or not math.isfinite(values.get(KEPT, math.nan)):
            return []
        self._windows.add(SERIES, step, float(values[SERIES] > 0))
        self._windows.add(KEPT, step, values[KEPT])
        if not self._windows.full(SERIES) or step % JUDGED_STEPS:
            return []
        fired = self._windows.values(SERIES)
        share, kept = sum(fired) / len(fired), median(self._windows.values(KEPT))
        if not self.first_time(SERIES, share >= self.spec.share and kept <= 1 - self.spec.min_cut):
            return []
        return [
            Sighting(
                detector=self.kind,
                series=SERIES,
                step=step,
                onset=self._windows.first_step(SERIES),
                value=share,
                severity="warning",
                message=f"clipping fired in {share:.0%} of the last {len(fired)} steps and left {kept:.0%} of the "
                "gradient's norm: raise its limit, or lower the learning rate",
                threshold=self.spec.share,
            )
        ]
