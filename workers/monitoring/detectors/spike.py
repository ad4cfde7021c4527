"""A series rises far over its own past: robust z-score (median, MAD) of its logarithm, with floors.

A value is held against two pasts, and the higher score counts: the whole window, which sees a slow rise, and the last
16 steps with the trend taken out, which keeps its eye through warm-up, when the window is wide because the series
moves. Values over the threshold do not enter the window. Median and MAD: Leys et al. 2013,
https://doi.org/10.1016/j.jesp.2013.03.013. Why update norms too: https://github.com/marin-community/marin/issues/1368
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from workers.monitoring.detectors._shared import SERIES, Sighting, median, robust_z
from workers.specs.monitoring import Spike

NUM_RECENT = 16
FLOORS = {"loss": 0.05, "grad_norm": 0.3, "update_norm": 0.1, "weight_norm": 0.03}
"""Least sigma of the log: 8 sigma are at least x1.5 of the loss, x11 of the gradient, x2.2 of the update norm, x1.27 of
the weight norm, that from one step to the next."""


@dataclass(slots=True)
class _Past:
    """What is known of one series."""

    steps: list[int] = field(default_factory=list)
    logs: list[float] = field(default_factory=list)
    residuals: list[float | None] = field(default_factory=list)
    """Log minus the median of the 16 before it."""
    excess: list[tuple[int, float]] = field(default_factory=list)
    """The current run of values over the threshold: step, log."""

    def learn(self, step: int, log: float, limit: int) -> None:
        recent = self.logs[-NUM_RECENT:]
        residual = log - median(recent) if len(recent) == NUM_RECENT else None
        self.steps.append(step)
        self.logs.append(log)
        self.residuals.append(residual)
        for values in (self.steps, self.logs, self.residuals):
            del values[:-limit]

    def rewind(self, step: int) -> None:
        keep = sum(1 for s in self.steps if s < step)
        self.steps, self.logs, self.residuals = self.steps[:keep], self.logs[:keep], self.residuals[:keep]
        self.excess = []


class SpikeDetector:
    """Watches each of its series by itself. Findings out only after `patience_steps` in a row; one for each episode."""

    kind = "spike"

    def __init__(self, spec: Spike) -> None:
        self.spec = spec
        self._min_steps = min(spec.min_steps, spec.window_steps)
        self._pasts = {series: _Past() for series in SERIES if series in spec.series}

    def observe(self, step: int, values: Mapping[str, float], lr_scale: float = 1.0) -> list[Sighting]:
        """Judge the figures against their past; those that are in order become past."""
        unit = values.get("scheduled_lr", 1.0)
        found = [
            self._observe(step, s, values[s], lr_scale, past, unit if s == "update_norm" else 1.0)
            for s, past in self._pasts.items()
            if s in values and (s != "update_norm" or unit > 0)
        ]
        return [sighting for sighting in found if sighting]

    def _observe(
        self, step: int, series: str, value: float, lr_scale: float, past: _Past, unit: float
    ) -> Sighting | None:
        """Judge `value / unit`: updates go with the scheduled rate, so that its rise or fall is no news."""
        log = math.log(max(value / unit, 1e-12)) if math.isfinite(value) else math.inf
        z = self._score(series, log, past)
        if z <= self.spec.threshold:
            past.excess.clear()
            if math.isfinite(log):
                past.learn(step, self._to_learn(series, log, lr_scale, past), self.spec.window_steps)
            return None
        past.excess.append((step, log))
        # The norm of all weights moves by a few percent a step: a jump is a broken weight, and is seen once.
        patience = 1 if series == "weight_norm" else self.spec.patience_steps
        # Half a window in a row is no spike but a new level; only a run that nobody steers gets there.
        if len(past.excess) >= max(self.spec.window_steps // 2, 2 * patience):
            self._accept_level(past)
            return None
        return self._sighting(step, series, value, z, past, unit) if len(past.excess) == patience else None

    def _to_learn(self, series: str, log: float, lr_scale: float, past: _Past) -> float:
        """Updates as the spec's own rate would make them.

        A level learnt while the rate is scaled down would turn every later step at full strength into a spike. Where
        that figure would be a spike itself, the scale cancels a rate that is too high: then the update as it is.
        """
        if series != "update_norm" or lr_scale <= 0 or lr_scale == 1:
            return log
        unscaled = log - math.log(lr_scale)
        return unscaled if self._score(series, unscaled, past) <= self.spec.threshold else log

    def _score(self, series: str, log: float, past: _Past) -> float:
        """The robust z-score, exact where it is over the threshold; 0 while there is too little past."""
        if len(past.logs) < self._min_steps:
            return 0.0
        floor, enough = FLOORS[series], self.spec.threshold
        if series == "weight_norm":  # it may grow as far as it likes, but not within one step
            return (log - past.logs[-1]) / floor
        score = robust_z(log, past.logs, floor, enough)
        residuals = [r for r in past.residuals if r is not None]
        if len(residuals) >= NUM_RECENT:
            score = max(score, robust_z(log - median(past.logs[-NUM_RECENT:]), residuals, floor, enough))
        return score

    def _accept_level(self, past: _Past) -> None:
        accepted = [(s, x) for s, x in past.excess if math.isfinite(x)]
        past.steps, past.logs, past.residuals, past.excess = [], [], [], []
        for step, log in accepted:
            past.learn(step, log, self.spec.window_steps)

    def _sighting(self, step: int, series: str, value: float, z: float, past: _Past, unit: float) -> Sighting:
        onset = past.excess[0][0]
        baseline = math.exp(median(past.logs[-NUM_RECENT:])) * unit
        return Sighting(
            detector=self.kind,
            series=series,
            step=step,
            onset=onset,
            value=value,
            severity="critical" if z > 2 * self.spec.threshold else "warning",
            message=f"{series} {value:.4g} is far over its level {baseline:.4g} since step {onset} (z {z:.1f})",
            z=z,
            threshold=self.spec.threshold,
            baseline=baseline,
        )

    def pending(self) -> list[tuple[int, str]]:
        """(onset, series) of the series that are over the threshold now."""
        return [(past.excess[0][0], series) for series, past in self._pasts.items() if past.excess]

    def rewind(self, step: int) -> None:
        """Cut all windows to the steps before `step`."""
        for past in self._pasts.values():
            past.rewind(step)

    def state_dict(self) -> dict[str, object]:
        """JSON-able: the windows and current runs by series."""
        return {
            series: {
                "steps": list(past.steps),
                "logs": list(past.logs),
                "residuals": list(past.residuals),
                "excess": [[step, log if math.isfinite(log) else "inf"] for step, log in past.excess],
            }
            for series, past in self._pasts.items()
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take up a state from `state_dict`; series it does not know start anew."""
        for series, past in self._pasts.items():
            saved = state.get(series, {})
            past.steps = list(saved.get("steps", []))
            past.logs = list(saved.get("logs", []))
            past.residuals = list(saved.get("residuals", []))
            past.excess = [(int(step), float(log)) for step, log in saved.get("excess", [])]
