"""Attention collapses onto single places; the loss diverges soon after. arXiv 2303.06296

The series is the entropy of attention over that of looking at all allowed places alike, as a mean over heads.
"""

from collections.abc import Mapping

from workers.monitoring.detectors._levels import Excess, LevelDetector, place
from workers.monitoring.detectors._shared import median
from workers.specs.monitoring import AttentionEntropy


class AttentionEntropyDetector(LevelDetector):
    """Judges the fall."""

    kind, watched = "attention_entropy", "attention_entropy"

    def __init__(self, spec: AttentionEntropy) -> None:
        super().__init__(spec.window_probes, spec.min_probes, spec.patience_probes)
        self.spec = spec

    def judge(self, series: str, value: float, past: list[float], values: Mapping[str, float]) -> Excess | None:
        """Under `factor` of its level and under `max_entropy`."""
        if not past or value >= (limit := min(self.spec.factor * median(past), self.spec.max_entropy)):
            return None
        level = median(past)
        message = f"attention of {place(series)} collapses: entropy {value:.3f} of the largest, otherwise {level:.3f}"
        return Excess(message, limit, level)
