"""SQL of what is kept for a while only: notes of batches that were taken, and points of runs that ended long ago."""

from collections.abc import Sequence

from sqlalchemy import Float, cast, func, literal_column, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import Run
from app.models.metrics import FACTOR_BITS, NUM_LEVELS

_MAX_ROWS = 20_000
_MAX_BUCKETS = 500
_SPAN_BITS = FACTOR_BITS * NUM_LEVELS
_BATCHES = text(f"""
    DELETE FROM ingest_batches WHERE ctid = ANY(ARRAY(
        SELECT b.ctid FROM ingest_batches b JOIN runs r ON r.id = b.run_id
        WHERE b.received_at < now() - interval '7 days' OR r.finished_at < now() - interval '1 day'
        LIMIT {_MAX_ROWS}
    ))
""")  # noqa: S608  a number of our own
_BUCKETS = text(f"""
    SELECT r.series_id, r.bucket
    FROM series s JOIN metric_rollups r ON r.series_id = s.id AND r.level = {NUM_LEVELS}
    WHERE s.run_id = :run_id AND (r.series_id, r.bucket) > (:series_id, :bucket)
    ORDER BY r.series_id, r.bucket LIMIT {_MAX_BUCKETS}
""")  # noqa: S608  numbers of our own
_POINTS = text(f"""
    DELETE FROM metrics AS m
    USING unnest(CAST(:series_ids AS bigint[]), CAST(:buckets AS bigint[])) AS t (series_id, bucket)
    WHERE m.series_id = t.series_id
        AND m.step >= t.bucket << {_SPAN_BITS} AND m.step < (t.bucket + 1) << {_SPAN_BITS}
""")  # noqa: S608  numbers of our own


async def forget_batches(session: AsyncSession) -> int:
    """Drop notes of batches that no worker will send again: after a week, or a day after the run's end. How many."""
    return int(getattr(await session.execute(_BATCHES), "rowcount", 0))


async def runs_to_thin(session: AsyncSession, default_days: int | None, limit: int) -> Sequence[Run]:
    """Runs whose points have been kept long enough since their end, locked."""
    kept = cast(func.coalesce(Run.keep_raw_days, default_days), Float(53)) * literal_column("interval '1 day'")
    query = select(Run).where(
        Run.finished_at < func.now() - kept,
        Run.raw_deleted_at.is_(None),
        Run.deleted_at.is_(None),
    )
    return (await session.scalars(query.order_by(Run.id).limit(limit).with_for_update(skip_locked=True))).all()


async def mark_thinned(session: AsyncSession, run_id: str) -> None:
    """From now on charts read roll-ups alone."""
    await session.execute(update(Run).where(Run.id == run_id).values(raw_deleted_at=func.now()))


async def delete_points(session: AsyncSession, run_id: str, after: tuple[int, int]) -> tuple[int, int] | None:
    """Delete points in some of the widest buckets after this (series, bucket); the last of them. None: the end.

    Roll-ups stay.
    """
    rows = (await session.execute(_BUCKETS, {"run_id": run_id, "series_id": after[0], "bucket": after[1]})).all()
    if not rows:
        return None
    pairs = {"series_ids": [row.series_id for row in rows], "buckets": [row.bucket for row in rows]}
    await session.execute(_POINTS, pairs)
    return rows[-1].series_id, rows[-1].bucket
