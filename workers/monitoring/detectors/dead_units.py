"""Units of a feed-forward layer die: they answer to no token of a fixed batch, and get no gradient any more."""

from collections.abc import Mapping

from workers.monitoring.detectors._levels import Excess, LevelDetector, place
from workers.specs.monitoring import DeadUnits


class DeadUnitsDetector(LevelDetector):
    """Judges the share of dead units."""

    kind, watched = "dead_units", "dead_units"

    def __init__(self, spec: DeadUnits) -> None:
        super().__init__(spec.window_probes, spec.min_probes, spec.patience_probes)
        self.spec = spec

    def judge(self, series: str, value: float, past: list[float], values: Mapping[str, float]) -> Excess | None:
        """Against the least share so far, and against `max_share`."""
        least = min(past, default=0.0)
        limit = min(self.spec.max_share, least + self.spec.rise) if past else self.spec.max_share
        if value <= limit:
            return None
        return Excess(f"{value:.0%} of the units of {place(series)} are dead, {least:.0%} before", limit, least)
