"""The process takes more and more memory: something is kept from step to step."""

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from workers.monitoring.detectors._shared import Sighting, median
from workers.monitoring.detectors._windows import WindowDetector
from workers.specs.monitoring import MemoryGrowth

SERIES = "memory_bytes"
NUM_POINTS = 40
"""Of a window: memory need not be kept for each step."""


class MemoryGrowthDetector(WindowDetector):
    """Compares the quarters of its window. A process that begins anew, with less memory, is learnt anew."""

    kind = "memory_growth"

    def __init__(self, spec: MemoryGrowth) -> None:
        super().__init__(NUM_POINTS)
        self.spec = spec
        self._num_seen, self._last = 0, 0.0

    def observe(self, step: int, values: Mapping[str, float], lr_scale: float = 1.0) -> list[Sighting]:
        """Take in the memory of the step before."""
        value = values.get(SERIES, 0.0)
        if not 0 < value < math.inf:
            return []
        if value < 0.9 * self._last:
            self._windows.clear()
            self._num_seen = 0
        self._num_seen, self._last = self._num_seen + 1, value
        if self._num_seen <= self.spec.min_steps or self._num_seen % (self.spec.window_steps // NUM_POINTS):
            return []
        self._windows.add(SERIES, step, value)
        if not self._windows.full(SERIES):
            return []
        return self._judge(step)

    def _judge(self, step: int) -> list[Sighting]:
        points, size = self._windows.values(SERIES), NUM_POINTS // 4
        quarters = [median(points[start : start + size]) for start in range(0, NUM_POINTS, size)]
        growth = points[-1] / points[0] - 1
        least = self.spec.growth / 6
        steady = all(later > earlier * (1 + least) for earlier, later in pairwise(quarters))
        if not self.first_time(SERIES, steady and growth > self.spec.growth):
            return []
        return [
            Sighting(
                detector=self.kind,
                series=SERIES,
                step=step,
                onset=self._windows.first_step(SERIES),
                value=points[-1],
                severity="warning",
                message=f"memory has grown by {growth:.0%} in {self.spec.window_steps} steps, to "
                f"{points[-1] / 2**30:.2f} GiB, and goes on growing",
                threshold=points[0] * (1 + self.spec.growth),
                baseline=points[0],
            )
        ]

    def state_dict(self) -> dict[str, object]:
        """JSON-able."""
        return super().state_dict() | {"num_seen": self._num_seen, "last": self._last}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse."""
        super().load_state_dict(state)
        self._num_seen, self._last = int(state["num_seen"]), float(state["last"])
