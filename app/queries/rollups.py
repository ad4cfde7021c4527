"""Roll-ups of points that are new, computed in arrays: one row a level and bucket."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.models.metrics import FACTOR_BITS, NUM_LEVELS

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
_MAX_SUMMAND = 1e300
"""Sums are clamped, since Postgres makes an overflow an error."""


@dataclass(frozen=True, slots=True)
class Rollups:
    """Rows of `metric_rollups`, column-wise. Where `counts` is 0, `mins` is inf and `maxs` is -inf."""

    series_ids: Ints
    levels: Ints
    buckets: Ints
    mins: Floats
    maxs: Floats
    sums: Floats
    counts: Ints
    nonfinites: Ints
    lasts: Floats
    last_steps: Ints

    def columns(self) -> dict[str, list[Any]]:
        """As arguments of a statement; None where there is no finite point."""
        empty = np.flatnonzero(self.counts == 0)
        found: dict[str, list[Any]] = {name: getattr(self, name).tolist() for name in self.__slots__}
        for i in empty:
            found["mins"][i] = found["maxs"][i] = None
        return found


def roll_up(series_ids: Ints, steps: Ints, values: Floats) -> Rollups:
    """All levels over points that are sorted by (series, step), each once. At least one point."""
    finite = np.isfinite(values)
    level = Rollups(
        series_ids=series_ids,
        levels=np.zeros_like(steps),
        buckets=steps,
        mins=np.where(finite, values, np.inf),
        maxs=np.where(finite, values, -np.inf),
        sums=np.where(finite, np.clip(values, -_MAX_SUMMAND, _MAX_SUMMAND), 0.0),
        counts=finite.astype(np.int64),
        nonfinites=(~finite).astype(np.int64),
        lasts=values,
        last_steps=steps,
    )
    made = []
    for _ in range(NUM_LEVELS):
        level = _coarsen(level)
        made.append(level)
    return Rollups(*(np.concatenate([getattr(part, name) for part in made]) for name in Rollups.__slots__))


def _coarsen(below: Rollups) -> Rollups:
    buckets = below.buckets >> FACTOR_BITS
    differs = (np.diff(buckets) != 0) | (np.diff(below.series_ids) != 0)
    starts = np.concatenate([[0], np.flatnonzero(differs) + 1])
    ends = np.append(starts[1:], len(buckets)) - 1
    return Rollups(
        series_ids=below.series_ids[starts],
        levels=below.levels[starts] + 1,
        buckets=buckets[starts],
        mins=np.minimum.reduceat(below.mins, starts),
        maxs=np.maximum.reduceat(below.maxs, starts),
        sums=np.add.reduceat(below.sums, starts),
        counts=np.add.reduceat(below.counts, starts),
        nonfinites=np.add.reduceat(below.nonfinites, starts),
        lasts=below.lasts[ends],
        last_steps=below.last_steps[ends],
    )
