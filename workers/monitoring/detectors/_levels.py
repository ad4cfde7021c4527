"""What detectors share that hold each value of a series against the last ones of the same series."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from workers.monitoring.detectors._shared import Sighting

LAYER = re.compile(r"layers/(\d+)/(.+)")
Point = tuple[int, float]


@dataclass(slots=True, frozen=True)
class Excess:
    """A value that is out of order: what it was held against, and the words for it."""

    message: str
    threshold: float
    baseline: float | None = None
    severity: Literal["warning", "critical"] = "warning"
    finding: str | None = None
    """Kind of the finding, where it is not the detector's own."""
    at_once: bool = False
    """There is no need to see it again."""


class LevelDetector:
    """One past for each series. It speaks once an episode, after `patience` values in a row that are out of order.

    Values in order become past; when they stay out of order for half a window, that is the new level. Of several
    series that go wrong together (layers), it names the first.
    """

    kind = ""
    watched = ""
    """The series, or what comes after `layers/NN/`."""

    def __init__(self, window: int, min_values: int, patience: int) -> None:
        self._window, self._min_values, self._patience = window, min(min_values, window), patience
        self._pasts: dict[str, list[Point]] = {}
        self._over: dict[str, list[Point]] = {}

    def judge(self, series: str, value: float, past: list[float], values: Mapping[str, float]) -> Excess | None:
        """Is this value out of order? `past` is the empty list before there is enough of it."""
        raise NotImplementedError

    def figure(self, series: str, values: Mapping[str, float], lr_scale: float) -> float:
        """What is judged and learnt."""
        return values[series]

    def observe(self, step: int, values: Mapping[str, float], lr_scale: float = 1.0) -> list[Sighting]:
        """Judge the watched series of this moment, then learn from them."""
        named = [series for series in values if series == self.watched or layer_series(series) == self.watched]
        found = [s for series in named if (s := self._observe(step, series, values, lr_scale))]
        if len(found) > 1:
            first = min(found, key=lambda s: s.onset)
            return [_with_others(first, len(found) - 1)]
        return found

    def _observe(self, step: int, series: str, values: Mapping[str, float], lr_scale: float) -> Sighting | None:
        value = self.figure(series, values, lr_scale)
        if not math.isfinite(value):
            return None
        past = self._pasts.setdefault(series, [])
        known = [v for _, v in past]
        excess = self.judge(series, value, known if len(known) >= self._min_values else [], values)
        if excess is None:
            self._over.pop(series, None)
            self._pasts[series] = [*past, (step, value)][-self._window :]
            return None
        over = self._over.setdefault(series, [])
        over.append((step, value))
        if len(over) >= max(self._window // 2, 2 * self._patience):
            self._pasts[series], self._over[series] = over, []
            return None
        wanted = 1 if excess.at_once else self._patience
        return self._sighting(step, series, over[0][0], value, excess) if len(over) == wanted else None

    def _sighting(self, step: int, series: str, onset: int, value: float, excess: Excess) -> Sighting:
        return Sighting(
            detector=excess.finding or self.kind,
            series=series,
            step=step,
            onset=onset,
            value=value,
            severity=excess.severity,
            message=excess.message,
            threshold=excess.threshold,
            baseline=excess.baseline,
        )

    def pending(self) -> list[tuple[int, str]]:
        """Never any: what only reports is the cause of nothing else."""
        return []

    def rewind(self, step: int) -> None:
        """Forget the values from `step` on."""
        self._pasts = {series: [p for p in past if p[0] < step] for series, past in self._pasts.items()}
        self._over = {}

    def state_dict(self) -> dict[str, object]:
        """JSON-able."""
        return {"pasts": _written(self._pasts), "over": _written(self._over)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse."""
        self._pasts, self._over = _read(state["pasts"]), _read(state["over"])


def layer_series(series: str) -> str | None:
    """`grad_norm` of `layers/03/grad_norm`; None of a series that is of no layer."""
    match = LAYER.fullmatch(series)
    return match[2] if match else None


def place(series: str) -> str:
    """`layer 3` of `layers/03/grad_norm`."""
    match = LAYER.fullmatch(series)
    return f"layer {int(match[1])}" if match else series


def _with_others(sighting: Sighting, num_others: int) -> Sighting:
    fields = {name: getattr(sighting, name) for name in Sighting.__slots__}
    others = f"{num_others} more layer{'s' if num_others > 1 else ''}"
    return Sighting(**fields | {"message": f"{sighting.message}, and so in {others}"})


def _written(points: Mapping[str, list[Point]]) -> dict[str, list[list[float]]]:
    return {series: [list(point) for point in of_series] for series, of_series in points.items()}


def _read(saved: Mapping[str, Any]) -> dict[str, list[Point]]:
    return {series: [(int(s), float(v)) for s, v in points] for series, points in saved.items()}
