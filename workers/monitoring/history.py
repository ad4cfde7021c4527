"""The last values of each series: evidence for findings, and the level that a run must come back to."""

import math
from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np

from workers.monitoring.detectors._shared import encode

LENGTH = 64
NUM_LEVEL = 16
MAD_TO_SIGMA = 1.4826
MIN_MARGIN, MAX_MARGIN = 0.05, 0.3
"""Bounds of the margin on the log of the loss: 5 % to 35 %."""
Points = deque[tuple[int, float]]


class History:
    """The last 64 (step, value) of each series."""

    def __init__(self) -> None:
        self._points: dict[str, Points] = {}

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Append one step's figures."""
        for series, value in values.items():
            if series not in self._points:
                self._points[series] = deque(maxlen=LENGTH)
            points = self._points[series]
            if points and points[-1][0] == step:  # told before the update and after it
                points.pop()
            points.append((step, value))

    def rewind(self, step: int) -> None:
        """Forget everything from `step` on."""
        for series, points in self._points.items():
            self._points[series] = deque((point for point in points if point[0] < step), maxlen=LENGTH)

    def evidence(self, series: str) -> dict[str, Any]:
        """The series as `{"steps": [...], "values": [...]}`, NaN and infinities as strings."""
        points = self._points.get(series, ())
        return {"steps": [step for step, _ in points], "values": [encode(value) for _, value in points]}

    def loss_level(self, before_step: int) -> tuple[float, float] | None:
        """(level, margin) of the log of the loss over the 16 finite steps before `before_step`; None without any."""
        points = self._points.get("loss", ())
        logs = [math.log(max(v, 1e-12)) for s, v in points if s < before_step and math.isfinite(v)]
        if not logs:
            return None
        recent = np.array(logs[-NUM_LEVEL:])
        level = float(np.median(recent))
        sigma = MAD_TO_SIGMA * float(np.median(np.abs(recent - level)))
        return level, min(max(3 * sigma, MIN_MARGIN), MAX_MARGIN)

    def state_dict(self) -> dict[str, object]:
        """JSON-able."""
        return {series: self.evidence(series) for series in self._points}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take up a state from `state_dict`."""
        self._points = {
            series: deque(
                ((int(s), float(v)) for s, v in zip(saved["steps"], saved["values"], strict=True)), maxlen=LENGTH
            )
            for series, saved in state.items()
        }
