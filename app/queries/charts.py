"""SQL that reads series: any range at any zoom, from the points or the coarsest roll-up that fits."""

from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import Run, Series
from app.models.metrics import FACTOR_BITS, NUM_LEVELS


@dataclass(frozen=True, slots=True)
class Segment:
    """Steps [first, last], to be read from a roll-up level (0: the points). Aligned to the level's buckets."""

    level: int
    first: int
    last: int


class ChartRow(NamedTuple):
    """One bucket: its first step, figures over finite values (None: there are none), last value, NaN and infinities."""

    bucket: int
    step: int
    min: float | None
    max: float | None
    mean: float | None
    last: float
    nonfinite: int


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


_POINTS = """
    SELECT step, CASE WHEN finite THEN value END AS min, CASE WHEN finite THEN value END AS max,
        CASE WHEN finite THEN greatest(least(value, 1e300), -1e300) ELSE 0 END AS sum, finite::int::bigint AS count,
        (NOT finite)::int::bigint AS nonfinite, value AS last, step AS last_step
    FROM (
        SELECT step, value, value NOT IN ('NaN', 'Infinity', '-Infinity') AS finite FROM metrics
        WHERE series_id = :series_id AND step BETWEEN :first_{i} AND :last_{i}
    ) AS p
"""
_BUCKETS = """
    SELECT bucket << {shift} AS step, min, max, sum, count, nonfinite, last, last_step
    FROM metric_rollups
    WHERE series_id = :series_id AND level = {level}
        AND bucket BETWEEN CAST(:first_{i} AS bigint) >> {shift} AND CAST(:last_{i} AS bigint) >> {shift}
"""
_GROUPED = """
    SELECT step / CAST(:width AS bigint) * CAST(:width AS bigint) AS bucket, min(step) AS step, min(min) AS min,
        max(max) AS max, CASE WHEN sum(count) > 0 THEN sum(sum) / sum(count)::double precision END AS mean,
        (array_agg(last ORDER BY last_step DESC))[1] AS last, sum(nonfinite)::bigint AS nonfinite
    FROM ({parts}) AS q
    GROUP BY 1 ORDER BY 1
"""


async def read(session: AsyncSession, series_id: int, segments: list[Segment], width: int) -> list[ChartRow]:
    """One series over the segments, in buckets of `width` steps that lie on its multiples, by step."""
    parts, arguments = [], {"series_id": series_id, "width": width}
    for i, segment in enumerate(segments):
        arguments |= {f"first_{i}": segment.first, f"last_{i}": segment.last}
        shift = FACTOR_BITS * segment.level
        part = _BUCKETS.format(shift=shift, level=segment.level, i=i) if segment.level else _POINTS.format(i=i)
        parts.append(part)
    if not parts:
        return []
    statement = text(_GROUPED.format(parts=" UNION ALL ".join(parts)))
    return [ChartRow(*row) for row in await session.execute(statement, arguments)]
