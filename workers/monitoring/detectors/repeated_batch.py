"""A batch comes again, token by token: the order of the data is broken.

The series is a number made of the batch's tokens in their order (`workers.training.token_counts`).
"""

import math
from collections.abc import Mapping

from workers.monitoring.detectors._shared import Sighting
from workers.monitoring.detectors._windows import WindowDetector
from workers.specs.monitoring import RepeatedBatch

SERIES = "batch_fingerprint"


class RepeatedBatchDetector(WindowDetector):
    """Speaks at the first of several that were there before. Steps done again by a roll-back are no fault."""

    kind = "repeated_batch"

    def __init__(self, spec: RepeatedBatch) -> None:
        super().__init__(spec.window_steps)
        self.spec = spec

    def observe(self, step: int, values: Mapping[str, float], lr_scale: float = 1.0) -> list[Sighting]:
        """Look the batch up, then remember it."""
        if not math.isfinite(values.get(SERIES, math.nan)):
            return []
        known = self._windows.values(SERIES)
        repeated = values[SERIES] in known
        earlier = self._windows.step_of(SERIES, values[SERIES]) if repeated else step
        self._windows.add(SERIES, step, values[SERIES])
        if not self.first_time(SERIES, repeated):
            return []
        return [
            Sighting(
                detector=self.kind,
                series=SERIES,
                step=step,
                onset=step,
                value=values[SERIES],
                severity="warning",
                message=f"the batch of step {step} is that of step {earlier} again, token by token",
            )
        ]
