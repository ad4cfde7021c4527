"""SQL that takes points in: arrays unnested into the tables, and roll-ups made anew from what lies below them.

Roll-ups are computed from the points, never added up, so that a point that is sent again or changed leaves them right.
The caller holds the run's lock.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.models.metrics import FACTOR_BITS, NUM_LEVELS


@dataclass(slots=True)
class Points:
    """Points of one series. `times` are Unix seconds."""

    key: str
    branch: int
    steps: Sequence[int]
    values: Sequence[float]
    times: Sequence[float]


_SERIES = text("SELECT id, key, branch FROM series WHERE run_id = :run_id AND key = ANY(CAST(:keys AS text[]))")
_NEW_SERIES = text("""
    INSERT INTO series (run_id, key, branch)
    SELECT :run_id, t.key, t.branch
    FROM unnest(CAST(:keys AS text[]), CAST(:branches AS bigint[])) AS t (key, branch)
    RETURNING id, key, branch
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

    One entry a (key, branch), each step once.
    """
    if not columns:
        return 0
    ids = await _series_ids(session, run_id, columns)
    series_ids: list[int] = []
    for column, series_id in zip(columns, ids, strict=True):
        series_ids += [series_id] * len(column.steps)
    await session.execute(
        _POINTS,
        {
            "series_ids": series_ids,
            "steps": [step for column in columns for step in column.steps],
            "values": [value for column in columns for value in column.values],
            "times": [time for column in columns for time in column.times],
        },
    )
    touched = {(i, step >> FACTOR_BITS) for column, i in zip(columns, ids, strict=True) for step in column.steps}
    for statement in _ROLLUPS:
        pairs = sorted(touched)
        await session.execute(statement, {"series_ids": [i for i, _ in pairs], "buckets": [b for _, b in pairs]})
        touched = {(i, bucket >> FACTOR_BITS) for i, bucket in pairs}
    firsts = [min(column.steps) for column in columns]
    await session.execute(_TOTALS, {"series_ids": ids, "first_steps": firsts})
    return len(series_ids)


async def _series_ids(session: AsyncSession, run_id: str, columns: list[Points]) -> list[int]:
    keys = sorted({column.key for column in columns})
    rows = await session.execute(_SERIES, {"run_id": run_id, "keys": keys})
    known = {(row.key, row.branch): row.id for row in rows}
    missing = [column for column in columns if (column.key, column.branch) not in known]
    if missing:
        arguments = {"keys": [c.key for c in missing], "branches": [c.branch for c in missing]}
        rows = await session.execute(_NEW_SERIES, {"run_id": run_id} | arguments)
        known |= {(row.key, row.branch): row.id for row in rows}
    return [known[column.key, column.branch] for column in columns]
