"""The tokens of a batch are not like the training text.

The series is the Kullback-Leibler divergence of the batch's token counts from those of a sample of the training text,
in nats per token. Random tokens, one repeated token and other languages all raise it; it is known before the batch has
done any harm, whatever the model makes of it.
"""

from collections.abc import Mapping
from typing import Any

from workers.monitoring.detectors._shared import Sighting, median, robust_z
from workers.specs.monitoring import OddBatch

SERIES = "batch_divergence"
FLOOR_NATS = 0.02


class OddBatchDetector:
    """Speaks at the first batch that is very odd, or at the fourth of a row: its update can still be discarded."""

    kind = "odd_batch"

    def __init__(self, spec: OddBatch) -> None:
        self.spec = spec
        self._past: list[tuple[int, float]] = []
        self._odd: list[tuple[int, float]] = []
        """Odd batches in a row."""

    def observe(self, step: int, values: Mapping[str, float], lr_scale: float = 1.0) -> list[Sighting]:
        """Batches that are in order become past; half a window of odd ones in a row is the new order."""
        if SERIES not in values:
            return []
        value, known = values[SERIES], [v for _, v in self._past]
        least = min(self.spec.threshold, self.spec.lasting_threshold)
        z = robust_z(value, known, FLOOR_NATS, least) if len(known) >= self.spec.min_steps else 0.0
        if z <= least or value - median(known) < self.spec.min_rise_nats:
            self._odd.clear()
            self._past = [*self._past, (step, value)][-self.spec.window_steps :]
            return []
        self._odd.append((step, value))
        if len(self._odd) >= self.spec.window_steps // 2:
            self._past, self._odd = self._odd, []
            return []
        if z <= self.spec.threshold and len(self._odd) < self.spec.lasting_steps:
            return []
        return [self._sighting(step, value, z, median(known))]

    def _sighting(self, step: int, value: float, z: float, level: float) -> Sighting:
        return Sighting(
            detector=self.kind,
            series=SERIES,
            step=step,
            onset=step,
            value=value,
            severity="warning",
            message=f"the batch of step {step} is unlike the training text: its tokens diverge by {value:.3g} nats, "
            f"otherwise {level:.3g} (z {z:.1f})",
            z=z,
            threshold=self.spec.threshold if z > self.spec.threshold else self.spec.lasting_threshold,
            baseline=level,
        )

    def pending(self) -> list[tuple[int, str]]:
        """Never any: it speaks at once."""
        return []

    def rewind(self, step: int) -> None:
        """Forget the batches from `step` on."""
        self._past = [point for point in self._past if point[0] < step]
        self._odd = [point for point in self._odd if point[0] < step]

    def state_dict(self) -> dict[str, object]:
        """JSON-able."""
        return {"past": [list(point) for point in self._past], "odd": [list(point) for point in self._odd]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse."""
        self._past = [(int(s), float(v)) for s, v in state["past"]]
        self._odd = [(int(s), float(v)) for s, v in state["odd"]]
