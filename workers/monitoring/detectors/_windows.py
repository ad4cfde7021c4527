"""The last values of several series, for detectors that judge windows of steps rather than single ones."""

from collections.abc import Mapping
from typing import Any

Point = tuple[int, float]


class Windows:
    """A list of (step, value) for each series, no longer than `length`."""

    def __init__(self, length: int) -> None:
        self.length = length
        self._points: dict[str, list[Point]] = {}

    def add(self, series: str, step: int, value: float) -> None:
        """Append one value."""
        points = self._points.setdefault(series, [])
        points.append((step, value))
        if len(points) > self.length:
            del points[0]

    def values(self, series: str) -> list[float]:
        """The oldest first."""
        return [value for _, value in self._points.get(series, ())]

    def first_step(self, series: str) -> int:
        """Step of the oldest value. Raises IndexError when there is none."""
        return self._points.get(series, [])[0][0]

    def step_of(self, series: str, value: float) -> int:
        """The last step that had this very value. Raises StopIteration when none had."""
        return next(step for step, known in reversed(self._points[series]) if known == value)

    def full(self, series: str) -> bool:
        """Has it `length` values?"""
        return len(self._points.get(series, ())) == self.length

    def clear(self) -> None:
        """Forget everything."""
        self._points = {}

    def rewind(self, step: int) -> None:
        """Forget the values from `step` on."""
        self._points = {series: [p for p in points if p[0] < step] for series, points in self._points.items()}

    def state_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {series: [list(point) for point in points] for series, points in self._points.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse."""
        self._points = {series: [(int(s), float(v)) for s, v in points] for series, points in state.items()}


class WindowDetector:
    """What window detectors have in common: they speak once an episode and keep their windows in checkpoints."""

    kind = ""

    def __init__(self, length: int) -> None:
        self._windows = Windows(length)
        self._told: list[str] = []
        """Series whose episode was told."""

    def first_time(self, series: str, wrong: bool) -> bool:
        """Is it wrong, and was that not told yet?"""
        if not wrong:
            self._told = [told for told in self._told if told != series]
            return False
        if series in self._told:
            return False
        self._told = sorted([*self._told, series])
        return True

    def pending(self) -> list[tuple[int, str]]:
        """Never any."""
        return []

    def rewind(self, step: int) -> None:
        """Forget the values from `step` on."""
        self._windows.rewind(step)
        self._told = []

    def state_dict(self) -> dict[str, object]:
        """JSON-able."""
        return {"windows": self._windows.state_dict(), "told": list(self._told)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse."""
        self._windows.load_state_dict(state["windows"])
        self._told = list(state["told"])
