"""SQL that takes points in. The caller holds the run's lock.

Points behind the last step of their series, which is nearly all of them, are copied, and their roll-ups are added to
what is there. Others may be points that are sent again or changed: they are written over, and the roll-ups above them
are made anew from what lies below.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.models.metrics import FACTOR_BITS, NUM_LEVELS
from app.queries.binary_copy import EPOCH_SECONDS, copy_in, row_type
from app.queries.rollups import Floats, Ints, roll_up


@dataclass(slots=True)
class Points:
    """Points of one series, sorted by step, each step once. `times` are Unix seconds."""

    key: str
    branch: int
    steps: Ints
    values: Floats
    times: Floats


class _Series(NamedTuple):
    """A series as it was before this batch."""

    id: int
    key: str
    branch: int
    num_points: int
    last_step: int


_SERIES = text("""
    SELECT id, key, branch, num_points, last_step
    FROM series WHERE run_id = :run_id AND key = ANY(CAST(:keys AS text[]))
""")
_NEW_SERIES = text("""
    INSERT INTO series (run_id, key, branch)
    SELECT :run_id, t.key, t.branch
    FROM unnest(CAST(:keys AS text[]), CAST(:branches AS bigint[])) AS t (key, branch)
    RETURNING id, key, branch, num_points, last_step
""")
_ROW = row_type(series_id="i8", step="i8", value="f8", time="i8")
_ADD_ROLLUPS = text("""
    INSERT INTO metric_rollups AS r (series_id, level, bucket, min, max, sum, count, nonfinite, last, last_step)
    SELECT * FROM unnest(
        CAST(:series_ids AS bigint[]), CAST(:levels AS bigint[]), CAST(:buckets AS bigint[]),
        CAST(:mins AS double precision[]), CAST(:maxs AS double precision[]), CAST(:sums AS double precision[]),
        CAST(:counts AS bigint[]), CAST(:nonfinites AS bigint[]), CAST(:lasts AS double precision[]),
        CAST(:last_steps AS bigint[])
    )
    ON CONFLICT (series_id, level, bucket) DO UPDATE SET
        min = least(r.min, excluded.min), max = greatest(r.max, excluded.max), sum = r.sum + excluded.sum,
        count = r.count + excluded.count, nonfinite = r.nonfinite + excluded.nonfinite,
        last = excluded.last, last_step = excluded.last_step
""")
_ADD_TOTALS = text("""
    UPDATE series SET
        num_points = series.num_points + t.num_points, last_step = t.last_step, last_value = t.last_value,
        first_step = CASE WHEN series.num_points = 0 THEN t.first_step ELSE series.first_step END
    FROM unnest(
        CAST(:series_ids AS bigint[]), CAST(:counts AS bigint[]), CAST(:first_steps AS bigint[]),
        CAST(:last_steps AS bigint[]), CAST(:last_values AS double precision[])
    ) AS t (series_id, num_points, first_step, last_step, last_value)
    WHERE series.id = t.series_id
""")
_POINTS = text("""
    INSERT INTO metrics (series_id, step, value, time)
    SELECT t.series_id, t.step, t.value, to_timestamp(t.time)
    FROM unnest(
        CAST(:series_ids AS bigint[]), CAST(:steps AS bigint[]),
        CAST(:values AS double precision[]), CAST(:times AS double precision[])
    ) AS t (series_id, step, value, time)
    ON CONFLICT (series_id, step) DO UPDATE SET value = excluded.value, time = excluded.time
""")
_STORE = """
    INSERT INTO metric_rollups (series_id, level, bucket, min, max, sum, count, nonfinite, last, last_step)
    SELECT t.series_id, {level}, t.bucket, f.min, f.max, f.sum, f.count, f.nonfinite, f.last, f.last_step
    FROM unnest(CAST(:series_ids AS bigint[]), CAST(:buckets AS bigint[])) AS t (series_id, bucket)
    CROSS JOIN LATERAL ({below}) AS f
    ON CONFLICT (series_id, level, bucket) DO UPDATE SET
        min = excluded.min, max = excluded.max, sum = excluded.sum, count = excluded.count,
        nonfinite = excluded.nonfinite, last = excluded.last, last_step = excluded.last_step
"""
# sums are clamped, since Postgres makes an overflow an error
_FROM_POINTS = """
    SELECT min(value) FILTER (WHERE finite) AS min, max(value) FILTER (WHERE finite) AS max,
        coalesce(sum(greatest(least(value, 1e300), -1e300)) FILTER (WHERE finite), 0) AS sum,
        count(*) FILTER (WHERE finite) AS count, count(*) FILTER (WHERE NOT finite) AS nonfinite,
        (array_agg(value ORDER BY step DESC))[1] AS last, max(step) AS last_step
    FROM (
        SELECT step, value, value NOT IN ('NaN', 'Infinity', '-Infinity') AS finite
        FROM metrics
        WHERE series_id = t.series_id AND step >= t.bucket << {bits} AND step < (t.bucket + 1) << {bits}
    ) AS p
"""
_FROM_BUCKETS = """
    SELECT min(min) AS min, max(max) AS max, sum(sum) AS sum, sum(count)::bigint AS count,
        sum(nonfinite)::bigint AS nonfinite, (array_agg(last ORDER BY bucket DESC))[1] AS last,
        max(last_step) AS last_step
    FROM metric_rollups
    WHERE series_id = t.series_id AND level = {below}
        AND bucket >= t.bucket << {bits} AND bucket < (t.bucket + 1) << {bits}
"""
_TOTALS = text(f"""
    UPDATE series SET
        num_points = f.num_points, last_step = f.last_step, last_value = f.last_value,
        first_step = CASE WHEN series.num_points = 0 THEN t.first_step ELSE least(series.first_step, t.first_step) END
    FROM unnest(CAST(:series_ids AS bigint[]), CAST(:first_steps AS bigint[])) AS t (series_id, first_step)
    CROSS JOIN LATERAL (
        SELECT sum(count + nonfinite)::bigint AS num_points, max(last_step) AS last_step,
            (array_agg(last ORDER BY bucket DESC))[1] AS last_value
        FROM metric_rollups WHERE series_id = t.series_id AND level = {NUM_LEVELS}
    ) AS f
    WHERE series.id = t.series_id
""")  # noqa: S608  a number of our own


def _rollup(level: int) -> TextClause:
    bits = FACTOR_BITS
    below = _FROM_POINTS.format(bits=bits) if level == 1 else _FROM_BUCKETS.format(bits=bits, below=level - 1)
    return text(_STORE.format(level=level, below=below))


_ROLLUPS = [_rollup(level) for level in range(1, NUM_LEVELS + 1)]


async def store(session: AsyncSession, run_id: str, columns: list[Points]) -> int:
    """Insert or overwrite points and bring roll-ups and series up to date. Returns the number of points given.

    One entry a (key, branch), at least one point in each.
    """
    known = await _series(session, run_id, columns) if columns else []
    fresh: list[tuple[int, Points]] = []
    others: list[tuple[int, Points]] = []
    for column, series in zip(columns, known, strict=True):
        is_fresh = series.num_points == 0 or column.steps[0] > series.last_step
        (fresh if is_fresh else others).append((series.id, column))
    if fresh:
        await _append(session, fresh)
    if others:
        await _overwrite(session, others)
    return sum(len(column.steps) for column in columns)


async def _append(session: AsyncSession, columns: list[tuple[int, Points]]) -> None:
    """Points of which none is there yet, and none behind them."""
    columns.sort(key=lambda pair: pair[0])
    lengths = [len(column.steps) for _, column in columns]
    series_ids = np.repeat(np.array([series_id for series_id, _ in columns], np.int64), lengths)
    steps = np.concatenate([column.steps for _, column in columns])
    values = np.concatenate([column.values for _, column in columns])
    seconds = np.concatenate([column.times for _, column in columns]) - EPOCH_SECONDS
    times = np.rint(seconds * 1e6).astype(np.int64)
    await copy_in(session, "metrics", _ROW, series_id=series_ids, step=steps, value=values, time=times)
    await session.execute(_ADD_ROLLUPS, roll_up(series_ids, steps, values).columns())
    totals = {
        "series_ids": [series_id for series_id, _ in columns],
        "counts": lengths,
        "first_steps": [int(column.steps[0]) for _, column in columns],
        "last_steps": [int(column.steps[-1]) for _, column in columns],
        "last_values": [float(column.values[-1]) for _, column in columns],
    }
    await session.execute(_ADD_TOTALS, totals)


async def _overwrite(session: AsyncSession, columns: list[tuple[int, Points]]) -> None:
    """Points that may be there already, or lie before others."""
    ids = [series_id for series_id, _ in columns]
    series_ids = np.repeat(np.array(ids, np.int64), [len(column.steps) for _, column in columns])
    steps = np.concatenate([column.steps for _, column in columns])
    arguments = {
        "series_ids": series_ids.tolist(),
        "steps": steps.tolist(),
        "values": np.concatenate([column.values for _, column in columns]).tolist(),
        "times": np.concatenate([column.times for _, column in columns]).tolist(),
    }
    await session.execute(_POINTS, arguments)
    touched = np.unique(np.stack([series_ids, steps >> FACTOR_BITS], axis=1), axis=0)
    for statement in _ROLLUPS:
        pairs = {"series_ids": touched[:, 0].tolist(), "buckets": touched[:, 1].tolist()}
        await session.execute(statement, pairs)
        touched = np.unique(touched >> np.array([0, FACTOR_BITS]), axis=0)
    firsts = [int(column.steps[0]) for _, column in columns]
    await session.execute(_TOTALS, {"series_ids": ids, "first_steps": firsts})


async def _series(session: AsyncSession, run_id: str, columns: list[Points]) -> list[_Series]:
    """The series of each column, made where it is missing."""
    keys = sorted({column.key for column in columns})
    rows = await session.execute(_SERIES, {"run_id": run_id, "keys": keys})
    known = {(row.key, row.branch): _Series(*row) for row in rows}
    missing = [column for column in columns if (column.key, column.branch) not in known]
    if missing:
        arguments = {"keys": [c.key for c in missing], "branches": [c.branch for c in missing]}
        rows = await session.execute(_NEW_SERIES, {"run_id": run_id} | arguments)
        known |= {(row.key, row.branch): _Series(*row) for row in rows}
    return [known[column.key, column.branch] for column in columns]
