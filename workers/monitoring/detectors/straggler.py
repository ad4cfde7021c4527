"""One process is slower than the others, which wait for it at each step."""

import math
import re
from collections.abc import Mapping

from workers.monitoring.detectors._shared import Sighting, median
from workers.monitoring.detectors._windows import WindowDetector
from workers.specs.monitoring import Straggler

SERIES = re.compile(r"own_seconds/rank-(\d+)")
"""Time that a process worked by itself in a step, before it waited for others."""


class StragglerDetector(WindowDetector):
    """Judges the medians of the processes."""

    kind = "straggler"

    def __init__(self, spec: Straggler) -> None:
        super().__init__(spec.window_steps)
        self.spec = spec

    def observe(self, step: int, values: Mapping[str, float], lr_scale: float = 1.0) -> list[Sighting]:
        """Take in how long each process worked."""
        ranks = [series for series, seconds in values.items() if SERIES.fullmatch(series) and math.isfinite(seconds)]
        if len(ranks) < 2:
            return []
        for series in ranks:
            self._windows.add(series, step, values[series])
        if not self._windows.full(ranks[0]):
            return []
        seconds = {series: median(self._windows.values(series)) for series in ranks}
        slowest = max(seconds, key=seconds.__getitem__)
        others = median([s for series, s in seconds.items() if series != slowest])
        if not self.first_time(slowest, seconds[slowest] > self.spec.factor * others):
            return []
        match = SERIES.fullmatch(slowest)
        rank = match[1] if match else slowest
        return [
            Sighting(
                detector=self.kind,
                series=slowest,
                step=step,
                onset=self._windows.first_step(slowest),
                value=seconds[slowest],
                severity="warning",
                message=f"process {rank} works {seconds[slowest]:.3g} s a step, the others {others:.3g} s: they wait",
                threshold=self.spec.factor * others,
                baseline=others,
            )
        ]
