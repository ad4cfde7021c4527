"""The loss rises slowly, step by step within its noise: the median of a window lies over the lowest one so far.

What a spike detector cannot see, since its past rises with the series. The lowest median is fixed, so any lasting rise
is seen in the end; its standard error keeps noise apart from it, and a spike shorter than half a window leaves it be.
"""

import math
from collections.abc import Mapping
from typing import Any

from workers.monitoring.detectors._shared import MAD_TO_SIGMA, Sighting, median
from workers.specs.monitoring import Divergence

SERIES = "loss"


class DivergenceDetector:
    """Speaks once for each episode; a level that lasts for four windows is the new one."""

    kind = "divergence"

    def __init__(self, spec: Divergence) -> None:
        self.spec = spec
        self._recent: list[tuple[int, float]] = []
        self._lows: list[tuple[int, float]] = []
        """(step, median) whenever the median reached a new low."""
        self._num_seen, self._num_over = 0, 0

    def observe(self, step: int, values: Mapping[str, float], lr_scale: float = 1.0) -> list[Sighting]:
        """Judge the median of the window that ends here."""
        if SERIES not in values or not math.isfinite(values[SERIES]):
            return []
        self._num_seen += 1
        self._recent = [*self._recent, (step, values[SERIES])][-self.spec.window_steps :]
        if len(self._recent) < self.spec.window_steps:
            return []
        middle = median([v for _, v in self._recent])
        if not self._lows or middle <= self._lows[-1][1]:
            self._lows, self._num_over = [*self._lows, (step, middle)][-self.spec.window_steps * 8 :], 0
            return []
        if self._num_seen < self.spec.min_steps or middle - self._lows[-1][1] < self._limit():
            self._num_over = 0
            return []
        return self._over(step, middle)

    def _over(self, step: int, middle: float) -> list[Sighting]:
        self._num_over += 1
        # A rise that took longer than two windows has no onset that a checkpoint could predate.
        onset, low = max(self._lows[-1][0] + 1, step - 2 * self.spec.window_steps), self._lows[-1][1]
        if self._num_over >= 4 * self.spec.window_steps:
            self._lows, self._num_over = [(step, middle)], 0
            return []
        return [self._sighting(step, onset, middle, low)] if self._num_over == 1 else []

    def _limit(self) -> float:
        losses = [v for _, v in self._recent]
        centre = median(losses)
        sigma = MAD_TO_SIGMA * median([abs(v - centre) for v in losses])
        return max(self.spec.rise * self._lows[-1][1], self.spec.num_sigmas * 1.25 * sigma / len(losses) ** 0.5)

    def _sighting(self, step: int, onset: int, middle: float, low: float) -> Sighting:
        return Sighting(
            detector=self.kind,
            series=SERIES,
            step=step,
            onset=onset,
            value=middle,
            severity="warning",
            message=f"the loss has risen since step {onset}: {middle:.4g} in the middle, {low:.4g} at best",
            threshold=low + self._limit(),
            baseline=low,
        )

    def pending(self) -> list[tuple[int, str]]:
        """Never any."""
        return []

    def rewind(self, step: int) -> None:
        """Forget the steps from `step` on."""
        self._recent = [point for point in self._recent if point[0] < step]
        self._lows = [point for point in self._lows if point[0] < step]
        self._num_over = 0
        if step == 0:
            self._num_seen = 0

    def state_dict(self) -> dict[str, object]:
        """JSON-able."""
        return {
            "recent": [list(point) for point in self._recent],
            "lows": [list(point) for point in self._lows],
            "num_seen": self._num_seen,
            "num_over": self._num_over,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse."""
        self._recent = [(int(s), float(v)) for s, v in state["recent"]]
        self._lows = [(int(s), float(v)) for s, v in state["lows"]]
        self._num_seen, self._num_over = int(state["num_seen"]), int(state["num_over"])
