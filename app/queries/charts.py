"""SQL that reads series: any range at any zoom, from the points or the coarsest roll-up that fits."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import Metric, Run, Series
from app.models.metrics import FACTOR_BITS, NUM_LEVELS
from app.queries.binary_copy import copy_out, row_type


@dataclass(frozen=True, slots=True)
class Segment:
    """Steps [first, last], to be read from a roll-up level (0: the points). Aligned to the level's buckets."""

    level: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Chart:
    """Buckets of one series, column-wise: their first steps, figures over finite values (None: there are none), the
    last value (None: it is not finite), and how many are NaN or infinite."""

    steps: list[int]
    mins: list[float | None]
    maxs: list[float | None]
    means: list[float | None]
    lasts: list[float | None]
    nonfinites: list[int]


def cover(first: int, last: int, level: int) -> list[Segment]:
    """Segments that make up [first, last] exactly, from `level` down: at most two a level, one of the top."""
    if first > last:
        return []
    if level == 0:
        return [Segment(0, first, last)]
    span = 1 << FACTOR_BITS * level
    begin, end = -(-first // span) * span, (last + 1) // span * span
    if begin >= end:
        return cover(first, last, level - 1)
    middle = Segment(level, begin, end - 1)
    return [*cover(first, begin - 1, level - 1), middle, *cover(end, last, level - 1)]


def fit(first: int, last: int, buckets: int) -> tuple[int, int]:
    """Steps a bucket, and the level to read, for at most `buckets` buckets over [first, last].

    Buckets lie on multiples of their width, so a range can touch one more than it has widths.
    """
    steps = last - first + 1
    spare = last + 1 if buckets == 1 else -(-steps // (buckets - 1))
    width, level = _round_up(max(1, -(-steps // buckets)))
    if last // width - first // width + 1 > buckets:
        width, level = _round_up(spare)
    return width, level


def _round_up(width: int) -> tuple[int, int]:
    """The next multiple of the widest roll-up bucket that is no wider, and its level."""
    level = min((width.bit_length() - 1) // FACTOR_BITS, NUM_LEVELS)
    span = 1 << FACTOR_BITS * level
    return -(-width // span) * span, level


async def all_series(session: AsyncSession, run_id: str, key: str | None = None) -> list[Series]:
    """Series of a run by key and branch."""
    query = select(Series).where(Series.run_id == run_id, Series.num_points > 0)
    if key is not None:
        query = query.where(Series.key == key)
    return list(await session.scalars(query.order_by(Series.key, Series.branch)))


async def has_rollups_only(session: AsyncSession, run_id: str) -> bool:
    """Have the run's points been deleted?"""
    return await session.scalar(select(Run.raw_deleted_at).where(Run.id == run_id)) is not None


_ROW = row_type(step="i8", min="f8", max="f8", sum="f8", count="i8", nonfinite="i8", last="f8")
_POINTS = """
    SELECT step, CASE WHEN finite THEN value ELSE 'Infinity' END, CASE WHEN finite THEN value ELSE '-Infinity' END,
        CASE WHEN finite THEN greatest(least(value, 1e300), -1e300) ELSE 0 END, finite::int::bigint,
        (NOT finite)::int::bigint, value
    FROM (
        SELECT step, value, value NOT IN ('NaN', 'Infinity', '-Infinity') AS finite FROM metrics
        WHERE series_id = {series_id} AND step BETWEEN {first} AND {last}
    ) AS p
"""
_BUCKETS = """
    SELECT bucket << {shift}, coalesce(min, 'Infinity'), coalesce(max, '-Infinity'), sum, count, nonfinite, last
    FROM metric_rollups
    WHERE series_id = {series_id} AND level = {level} AND bucket BETWEEN {first} >> {shift} AND {last} >> {shift}
"""


async def read(session: AsyncSession, series_id: int, segments: list[Segment], width: int) -> Chart:
    """One series over the segments, in buckets of `width` steps that lie on its multiples, by step.

    Up to sixteen rows a bucket are read; they are put together here, which takes Postgres several times as long.
    """
    if not segments:
        return Chart([], [], [], [], [], [])
    parts = []
    for segment in segments:  # whole numbers of our own, all of them: COPY takes no arguments
        place = {"series_id": series_id, "first": f"{segment.first}::bigint", "last": f"{segment.last}::bigint"}
        shift = FACTOR_BITS * segment.level
        parts.append((_BUCKETS if segment.level else _POINTS).format(**place, level=segment.level, shift=shift))
    rows = await copy_out(session, _ROW, " UNION ALL ".join(parts))
    return _group(rows[np.argsort(rows["step"], kind="stable")], width)


def _group(rows: NDArray[Any], width: int) -> Chart:
    if not len(rows):
        return Chart([], [], [], [], [], [])
    starts = np.concatenate([[0], np.flatnonzero(np.diff(rows["step"] // width)) + 1])
    ends = np.append(starts[1:], len(rows)) - 1
    counts = np.add.reduceat(rows["count"], starts)
    with np.errstate(invalid="ignore", divide="ignore"):  # no finite value: that is what None is for
        means = np.add.reduceat(rows["sum"], starts) / counts
    return Chart(
        steps=rows["step"][starts].tolist(),
        mins=_known(np.minimum.reduceat(rows["min"], starts)),
        maxs=_known(np.maximum.reduceat(rows["max"], starts)),
        means=_known(means),
        lasts=_known(rows["last"][ends]),
        nonfinites=np.add.reduceat(rows["nonfinite"], starts).tolist(),
    )


def _known(values: NDArray[Any]) -> list[float | None]:
    found: list[float | None] = values.tolist()
    for i in np.flatnonzero(~np.isfinite(values)):
        found[i] = None
    return found


async def times(session: AsyncSession, series_id: int, steps: list[int]) -> list[float | None]:
    """When the points at these steps were made, in Unix seconds; None where there is no such point."""
    query = select(Metric.step, func.extract("epoch", Metric.time))
    rows = await session.execute(query.where(Metric.series_id == series_id, Metric.step.in_(steps)))
    found = {step: float(seconds) for step, seconds in rows}
    return [found.get(step) for step in steps]
