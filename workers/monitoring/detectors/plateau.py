"""The loss has stopped falling: the median of half a window is no lower than that of the half before."""

import math
from collections.abc import Mapping
from typing import Any

from workers.monitoring.detectors._shared import Sighting, median
from workers.monitoring.detectors._windows import WindowDetector
from workers.specs.monitoring import Plateau

SERIES = "loss"


class PlateauDetector(WindowDetector):
    """Judges ten times a window, and only where the whole window had a rate that is not small."""

    kind = "plateau"

    def __init__(self, spec: Plateau) -> None:
        super().__init__(spec.window_steps)
        self.spec = spec
        self._highest_lr = 0.0

    def observe(self, step: int, values: Mapping[str, float], lr_scale: float = 1.0) -> list[Sighting]:
        """Take in loss and scheduled rate."""
        lr = values.get("scheduled_lr", self._highest_lr)
        self._highest_lr = max(self._highest_lr, lr)
        if lr < self.spec.min_lr_share * self._highest_lr:
            self._windows.clear()
            return []
        if SERIES not in values or not math.isfinite(values[SERIES]):
            return []
        self._windows.add(SERIES, step, values[SERIES])
        if not self._windows.full(SERIES) or step % max(self.spec.window_steps // 10, 1):
            return []
        losses, half = self._windows.values(SERIES), self.spec.window_steps // 2
        before, now = median(losses[:half]), median(losses[half:])
        limit = before * (1 - self.spec.min_gain)
        # A loss that rises is no plateau: divergence and spikes have their own detectors.
        if not self.first_time(SERIES, limit < now < before * 1.02):
            return []
        return [self._sighting(step, before, now, limit)]

    def _sighting(self, step: int, before: float, now: float, limit: float) -> Sighting:
        return Sighting(
            detector=self.kind,
            series=SERIES,
            step=step,
            onset=self._windows.first_step(SERIES),
            value=now,
            severity="warning",
            message=f"the loss has stopped falling: {now:.4g} in the middle of the last "
            f"{self.spec.window_steps // 2} steps, {before:.4g} in those before",
            threshold=limit,
            baseline=before,
        )

    def rewind(self, step: int) -> None:
        """Forget the steps from `step` on; a new stage has its own rates."""
        super().rewind(step)
        if step == 0:
            self._highest_lr = 0.0

    def state_dict(self) -> dict[str, object]:
        """JSON-able."""
        return super().state_dict() | {"highest_lr": self._highest_lr}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse."""
        super().load_state_dict(state)
        self._highest_lr = float(state["highest_lr"])
